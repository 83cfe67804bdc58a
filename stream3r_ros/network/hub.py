"""Weights of a Hugging Face id: from the hub, or from its local cache where it is out of reach."""

import logging
import queue
import ssl
import threading
import urllib.error
import urllib.request
from pathlib import Path

from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from stream3r_ros.network.weight_files import (
    CONFIG_NAME,
    INDEX_NAME,
    WEIGHTS_NAME,
    CheckpointError,
    WeightFiles,
    shards,
)

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 6.0
"""For a first answer of the hub; its own client would try again for minutes."""

NOT_FETCHED: tuple[type[Exception], ...] = (
    HfHubHTTPError,
    *(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)),
    HFValidationError,
    OSError,
)
"""The bases are the errors of the HTTP client, which differs between versions of the hub's."""


def locate_on_hub(repository: str, revision: str | None) -> WeightFiles:
    """Download what is missing of a repository, or find all of it in the local cache.

    Raises CheckpointError, after LONGEST_WAIT_S at most where the hub does not answer.
    """
    return _Repository(repository, revision).locate()


class _Repository:
    """One revision of a repository, and why its hub cannot be asked, if so."""

    def __init__(self, name: str, revision: str | None) -> None:
        self._name = name
        self._revision = revision
        self._out_of_reach = why_out_of_reach(name)

    def locate(self) -> WeightFiles:
        """Find one file of weights, or all shards of an index, and the config.json."""
        weights = self._find(WEIGHTS_NAME)
        index = None if weights else self._find(INDEX_NAME)
        found = weights or index
        if found is None:
            raise CheckpointError(self._nothing(f'{WEIGHTS_NAME} or {INDEX_NAME}'))
        paths = (found,) if weights else self._shards(found)
        if self._out_of_reach and not constants.HF_HUB_OFFLINE:
            log.warning(
                '%s: %s, so that the weights of the local cache are taken',
                self._name, self._out_of_reach,
            )  # fmt: skip
        return WeightFiles(found, paths, self._find(CONFIG_NAME))

    def _shards(self, index: Path) -> tuple[Path, ...]:
        try:
            return shards(index, self._find)
        except CheckpointError as error:
            why = f'; {self._out_of_reach}' if self._out_of_reach else ''
            raise CheckpointError(f'{self._name}: {error}{why}') from error

    def _find(self, file: str) -> Path | None:
        """Give a file of the repository, None where it has none of this name."""
        local = bool(self._out_of_reach)
        try:
            return Path(
                hf_hub_download(
                    self._name,
                    file,
                    revision=self._revision,
                    local_files_only=local,
                )
            )
        except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
            if local:
                return None
            self._out_of_reach = f'the hub {constants.ENDPOINT} stopped answering'
            raise CheckpointError(self._nothing(file)) from error
        except (RepositoryNotFoundError, GatedRepoError) as error:
            raise CheckpointError(
                f'the Hugging Face repository {self._name} does not exist or needs a login: '
                f'look at {constants.ENDPOINT}/{self._name}, or run `hf auth login`'
            ) from error
        except RevisionNotFoundError as error:
            raise CheckpointError(f'{self._name} has no revision {self._revision}') from error
        except EntryNotFoundError:
            return None
        except NOT_FETCHED as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CheckpointError(f'{self._name} cannot be fetched: {reason}') from error

    def _nothing(self, file: str) -> str:
        if self._out_of_reach:
            return (
                f'{self._name} is not in the local Hugging Face cache and {self._out_of_reach}: '
                f'connect and start again, or give a folder that holds the weights'
            )
        return f'{self._name} holds no {file}'


def why_out_of_reach(repository: str) -> str:
    """Say why the hub cannot be asked, or nothing, after LONGEST_WAIT_S at most.

    A thread asks, since looking up a name without a network can take longer than any time limit
    of a connection.
    """
    if constants.HF_HUB_OFFLINE:
        return 'HF_HUB_OFFLINE is set'
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    url = f'{constants.ENDPOINT}/api/models/{repository}'
    threading.Thread(target=lambda: answers.put(_trouble(url)), daemon=True).start()
    try:
        trouble = answers.get(timeout=LONGEST_WAIT_S)
    except queue.Empty:
        trouble = f'no answer in {LONGEST_WAIT_S:.0f} s'
    return f'the hub {constants.ENDPOINT} cannot be reached ({trouble})' if trouble else ''


def _trouble(url: str) -> str:
    """Ask for the head of a page; give why there is no answer, or ''."""
    request = urllib.request.Request(url, method='HEAD')
    try:
        with urllib.request.urlopen(request, timeout=LONGEST_WAIT_S):
            return ''
    except urllib.error.HTTPError as error:
        # A login that is needed is an answer, and the hub's client has what it takes.
        return f'it answers {error.code} {error.reason}' if error.code >= 500 else ''
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, 'reason', error)
        if isinstance(reason, ssl.SSLError):
            return ''  # certificates are the client's business: it may have others
        return getattr(reason, 'strerror', None) or str(reason) or type(reason).__name__
