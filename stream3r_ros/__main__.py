"""Run the command as `python -m stream3r_ros`."""

from stream3r_ros.cli.main import main

raise SystemExit(main())
