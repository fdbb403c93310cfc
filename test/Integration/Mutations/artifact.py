"""A .moe file whose PTX can be exchanged (runtime/include/moert/moert_artifact.h)."""
import hashlib
import re
import struct

HEADER = struct.Struct("<8sIIQII32s")
SECTION = struct.Struct("<IIQQ32s")
GPU_CODE = struct.Struct("<IIIIIIQQ")
GPU_SECTION = 15


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


class Artifact:
    def __init__(self, data):
        self.data = data
        count = HEADER.unpack_from(data)[4]
        table = range(HEADER.size, HEADER.size + count * SECTION.size, SECTION.size)
        self.entry = next(at for at in table if SECTION.unpack_from(data, at)[0] == GPU_SECTION)
        self.table_end = table[-1] + SECTION.size
        self.section, self.section_size = SECTION.unpack_from(data, self.entry)[2:4]
        self.ptx_at, self.ptx_size = GPU_CODE.unpack_from(data, self.section)[6:8]

    def ptx(self):
        """Without the zero behind it."""
        return self.data[self.section + self.ptx_at:][:self.ptx_size - 1].decode()

    def with_ptx(self, text):
        """The same file with another text, which is padded to the size of the first."""
        # Text that has grown finds room where columns were aligned.
        if len(text) >= self.ptx_size:
            text = re.sub(r"(?<=[ \n])\t", "", text)
        code = text.encode().ljust(self.ptx_size - 1, b"\n") + b"\0"
        assert len(code) == self.ptx_size
        data = bytearray(self.data)
        at = self.section + self.ptx_at
        data[at:at + len(code)] = code
        kind, reserved, offset, size, _ = SECTION.unpack_from(data, self.entry)
        SECTION.pack_into(data, self.entry, kind, reserved, offset, size, digest(data[offset:offset + size]))
        header = list(HEADER.unpack_from(data))
        header[6] = digest(data[HEADER.size:self.table_end])
        HEADER.pack_into(data, 0, *header)
        return bytes(data)
