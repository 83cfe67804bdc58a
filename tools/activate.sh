# Source this file from bash or zsh: `. tools/activate.sh`. It gives the shell our executables,
# Python modules and messages, over a ROS 2 that is already sourced or over the one of `.venv`.
# Sourcing it twice changes nothing.

_stream3r_prepend() {  # NAME FOLDER: put the folder first in that path, unless it is there
    eval "case \":\${$1:-}:\" in
        *\":\$2:\"*) ;;
        *) export $1=\"\$2\${$1:+:\$$1}\" ;;
    esac"
}

_stream3r_overlay() {  # PREFIX PYTHON: add what an installed prefix offers
    _stream3r_prepend AMENT_PREFIX_PATH "$1"
    _stream3r_prepend CMAKE_PREFIX_PATH "$1"
    _stream3r_prepend LD_LIBRARY_PATH "$1/lib"
    _stream3r_prepend PYTHONPATH "$1/lib/$2/site-packages"
}

_stream3r_wheels() {  # VENV PYTHON: ROS 2 from wheels, and the underlay that completes it
    for _stream3r_libs in "$1/lib/$2"/site-packages/ros_*.libs; do
        _stream3r_prepend LD_LIBRARY_PATH "$_stream3r_libs"
    done
    unset _stream3r_libs
    _stream3r_prepend LD_LIBRARY_PATH "$1/lib"
    _stream3r_prepend AMENT_PREFIX_PATH "$1"
    _stream3r_prepend CMAKE_PREFIX_PATH "$1"
    _stream3r_overlay "$1/underlay" "$2"
    # The wheels start every Python twice to set LD_LIBRARY_PATH; it is set.
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    export ROS_VERSION="${ROS_VERSION:-2}" ROS_PYTHON_VERSION="${ROS_PYTHON_VERSION:-3}"
    # Talk to this machine only, unless the user wants it otherwise.
    export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
    # With the built-in 512 KB of shared memory, every second best-effort image gets lost.
    export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-${1%/.venv}/config/fastdds_large_data.xml}"
}

_stream3r_activate() {  # ROOT
    if [ ! -f "$1/.venv/world" ]; then
        echo "stream3r_ros: nothing is set up in $1 yet; run: make -C '$1' setup" >&2
        return 1
    fi
    # Written by tools/set_up.py: `wheels` or `ros`, and the name of the Python, like python3.12.
    read -r _stream3r_world _stream3r_python < "$1/.venv/world"
    if [ "$_stream3r_world" = ros ] && [ -z "${ROS_DISTRO:-}" ]; then
        echo 'stream3r_ros: set up for an installed ROS 2; source its setup file first' >&2
        return 1
    fi
    export VIRTUAL_ENV="$1/.venv"
    [ "$_stream3r_world" = ros ] || _stream3r_wheels "$VIRTUAL_ENV" "$_stream3r_python"
    _stream3r_prepend PATH "$1/.venv/bin"
    _stream3r_prepend PATH "$1/install/stream3r_ros/lib/stream3r_ros"
    _stream3r_overlay "$1/install/stream3r_ros" "$_stream3r_python"
    _stream3r_prepend PYTHONPATH "$1"  # the source tree first: an edit is live
}

if [ -n "${ZSH_VERSION:-}" ]; then
    eval '_stream3r_root="${(%):-%x}"'
else
    _stream3r_root="${BASH_SOURCE[0]}"
fi
_stream3r_root="$(cd "$(dirname "$_stream3r_root")/.." && pwd)"
_stream3r_activate "$_stream3r_root"
_stream3r_status=$?
unset _stream3r_root _stream3r_world _stream3r_python
unset -f _stream3r_prepend _stream3r_overlay _stream3r_wheels _stream3r_activate
eval "unset _stream3r_status; return $_stream3r_status"
