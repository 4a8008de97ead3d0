"""Errors that may have passed when the same is tried again."""

from __future__ import annotations

import errno

__all__ = ["may_pass"]

_PASSING = frozenset(
    {
        *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ENOTCONN),
        *(errno.ECONNRESET, errno.ECONNABORTED, errno.ECONNREFUSED, errno.EPIPE, errno.ESHUTDOWN),
        *(errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
        # Linux has a number of its own for a server that reports an error.
        *((errno.EREMOTEIO,) if hasattr(errno, "EREMOTEIO") else ()),
    }
)


def may_pass(error: BaseException) -> bool:
    """Whether an error came of a network, a disk or a want that may be over in a moment.

    A file that is missing, a full disk and a folder without permission are not of that kind.

    Parameters
    ----------
    error
        What was raised; the error that caused it counts, too.
    """
    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        seen.add(id(chain))
        if isinstance(chain, MemoryError) or (isinstance(chain, OSError) and chain.errno in _PASSING):
            return True
        chain = chain.__cause__
    return False
