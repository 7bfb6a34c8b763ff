"""From a listening socket of this machine to a port inside the lab, half-closed connections kept."""

import asyncio
import contextlib
import socket

_CONNECT_SECONDS = 4.0  # room for two lost SYNs, tcp(7)


async def serve(listener: socket.socket, address: str, port: int) -> asyncio.Server:
    """Afterwards each connection that `listener` accepts is one to `address`:`port`; where that fails, it is aborted."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _join(reader, writer, address, port)

    return await asyncio.start_server(accepted, sock=listener)


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str, port: int) -> None:
    try:
        far = await asyncio.wait_for(asyncio.open_connection(address, port), _CONNECT_SECONDS)
    except OSError:  # TimeoutError is one
        writer.transport.abort()
        return
    far_reader, far_writer = far
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    except OSError:
        writer.transport.abort()
        far_writer.transport.abort()
    finally:
        for end in (writer, far_writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
