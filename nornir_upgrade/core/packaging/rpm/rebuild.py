"""A .rpm made anew of what is installed: the header in rpm's database and the files as they are now. rpm has no tool for that.

What the header says of files (size, digest, time, mode, target) is made to fit what is there; a file that went becomes a %ghost, so
that it is owned and not written. A configuration file that somebody changed is an empty line longer: rpm goes on taking it for changed,
and the next upgrade does not replace it in silence. All else stays: name, dependencies, scriptlets, flags. The format is rpm's own
(docs/manual/format.md and lib/rpmtag.h of its source): a lead, a header of digests, the header, a cpio archive (newc) through gzip.
The result has no signature, and digests of its own. Run for real with rpm 4.18.
"""

# Runs on the host, with the Python that dnf runs on, which may be as old as 3.6. Arguments: directory, and of the package name, epoch,
# version, release, architecture and file name.
CODE = r"""
import gzip, hashlib, os, struct, sys
import rpm

directory = sys.argv[1]
name, epoch, version, release, arch, file_name = sys.argv[3].split("\t")

REGION, MAGIC = 63, b"\x8e\xad\xe8\x01\0\0\0\0"
# Of installation, of signatures and digests of what was (file signatures too): none of it is true of what is made here.
DROPPED = {1008, 1029, 1046, 1127, 1128, 5090, 5091, 5092, 5093, 5097}
SIZES, MODES, TIMES, DIGESTS, LINKS, FLAGS, DEVICES, INODES = 1028, 1030, 1034, 1035, 1036, 1037, 1095, 1096
BASES, DIRECTORY_OF, DIRECTORIES, ALGORITHM, LONG_SIZES = 1117, 1116, 1118, 5011, 5008
CONFIG, GHOST = 1, 64
WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
FORM = {3: "H", 4: "I", 5: "Q"}
HASHES = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512"}


def installed():
    for header in rpm.TransactionSet().dbMatch("name", name):
        said = (header["epoch"] or 0, header["version"], header["release"], header["arch"])
        if tuple(part.decode() if isinstance(part, bytes) else part for part in said) == (int(epoch), version, release, arch):
            return header
    sys.exit("%s-%s-%s.%s is not installed" % (name, version, release, arch))


def taken_apart(blob):
    count, length = struct.unpack(">II", blob[:8])
    data = blob[8 + 16 * count:8 + 16 * count + length]
    tags = {}
    for at in range(count):
        tag, kind, offset, number = struct.unpack(">IIiI", blob[8 + 16 * at:24 + 16 * at])
        if tag < 1000 and tag != 100 or tag in DROPPED:
            continue
        if kind in WIDTH:
            end = offset + WIDTH[kind] * number
        else:
            end = offset
            for _ in range(number):
                end = data.index(b"\0", end) + 1
        tags[tag] = (kind, number, data[offset:end])
    return tags


def put_together(tags, region):
    index, data = [], b""
    for tag in sorted(tags):
        kind, number, value = tags[tag]
        data += b"\0" * (-len(data) % (WIDTH[kind] if kind in FORM else 1))
        index.append(struct.pack(">IIiI", tag, kind, len(data), number))
        data += value
    first = struct.pack(">IIiI", region, 7, len(data), 16)
    data += struct.pack(">IIiI", region, 7, -16 * (len(index) + 1), 16)
    return MAGIC + struct.pack(">II", len(index) + 1, len(data)) + first + b"".join(index) + data


def numbers(tag):
    kind, number, value = tags.get(tag, (4, 0, b""))
    return list(struct.unpack(">%d%s" % (number, FORM[kind]), value))


def strings(tag):
    return tags[tag][2].split(b"\0")[:-1] if tag in tags else []


def set_numbers(tag, kind, values):
    tags[tag] = (kind, len(values), struct.pack(">%d%s" % (len(values), FORM[kind]), *values))


def set_strings(tag, kind, values):
    tags[tag] = (kind, len(values), b"".join(value + b"\0" for value in values))


class Archive:
    def __init__(self, path):
        self.file = gzip.GzipFile(path, "wb", 6, mtime=0)
        self.size = 0

    def write(self, data):
        self.size += len(data)
        self.file.write(data)

    def pad(self):
        self.write(b"\0" * (-self.size % 4))

    def entry(self, path, number, mode, time, links, size):
        if size >= 1 << 32:
            sys.exit("%s is too large for a cpio archive" % path)
        fields = (number, mode, 0, 0, links, time, size, 0, 0, 0, 0, len(path) + 1, 0)
        self.write(b"070701" + b"".join(b"%08x" % field for field in fields) + path + b"\0")
        self.pad()


def archive(path):
    paths = [directories[at] + base for at, base in zip(numbers(DIRECTORY_OF), strings(BASES))]
    out = Archive(path)
    hash_name = HASHES[(numbers(ALGORITHM) or [1])[0]]
    same = list(zip(numbers(DEVICES), inodes))
    shared = {}
    for at, file in enumerate(paths):
        regular = os.path.isfile(file) and not os.path.islink(file)
        if not os.path.lexists(file):
            flags[at] |= GHOST
        elif not flags[at] & GHOST and regular:
            shared.setdefault(same[at], []).append(at)
    # Files that are one by several names follow each other, the content with the last: rpm takes it from there for them all. What
    # is no more one of them (it went, or is something else now) must not be told for one.
    order, unused = [], max(inodes, default=0)
    for at in range(len(paths)):
        together = shared.get(same[at], [])
        if at not in together:
            unused += 1
            inodes[at] = unused
        order += [at] if at not in together else together if at == together[0] else []
    for at in order:
        if flags[at] & GHOST:
            continue
        file = paths[at]
        found = os.lstat(file)
        was, modes[at], digests[at], links[at] = digests[at], found.st_mode & 0xFFFF, b"", b""
        if not os.path.isdir(file) or os.path.islink(file):
            sizes[at], times[at] = found.st_size, int(found.st_mtime) & 0xFFFFFFFF
        together = shared.get(same[at], [])
        if os.path.islink(file):
            links[at] = os.readlink(file)
            out.entry(b"." + file, at + 1, modes[at], times[at], 1, len(links[at]))
            out.write(links[at])
        elif at in together and flags[at] & CONFIG and len(together) == 1:
            with open(file, "rb") as source:
                data = source.read()
            if hashlib.new(hash_name, data).hexdigest().encode() != was:
                data += b"\n"
            sizes[at], digests[at] = len(data), hashlib.new(hash_name, data).hexdigest().encode()
            out.entry(b"." + file, at + 1, modes[at], times[at], 1, len(data))
            out.write(data)
        elif at in together:
            total = hashlib.new(hash_name)
            last = at == together[-1]
            out.entry(b"." + file, together[0] + 1, modes[at], times[at], len(together), found.st_size if last else 0)
            with open(file, "rb") as source:
                for piece in iter(lambda: source.read(1 << 20), b""):
                    total.update(piece)
                    if last:
                        out.write(piece)
            digests[at] = total.hexdigest().encode()
        else:
            out.entry(b"." + file, at + 1, modes[at], times[at], 2, 0)
        out.pad()
    out.entry(b"TRAILER!!!", 0, 0, 0, 1, 0)
    out.file.close()
    return out.size


tags = taken_apart(bytes(installed().unload()))
directories = strings(DIRECTORIES)
flags, modes, times, inodes = numbers(FLAGS), numbers(MODES), numbers(TIMES), numbers(INODES)
long_sizes = LONG_SIZES in tags
sizes = numbers(LONG_SIZES if long_sizes else SIZES)
digests, links = strings(DIGESTS), strings(LINKS)
payload = os.path.join(directory, "payload")
unpacked = archive(payload)
if BASES in tags:
    set_numbers(FLAGS, 4, flags)
    set_numbers(MODES, 3, modes)
    set_numbers(TIMES, 4, times)
    set_numbers(INODES, 4, inodes)
    set_numbers(LONG_SIZES if long_sizes else SIZES, 5 if long_sizes else 4, sizes)
    set_strings(DIGESTS, 8, digests)
    set_strings(LINKS, 8, links)
packed, md5 = hashlib.sha256(), hashlib.md5()
with open(payload, "rb") as source:
    for piece in iter(lambda: source.read(1 << 20), b""):
        packed.update(piece)
for tag, value in ((1124, b"cpio"), (1125, b"gzip"), (1126, b"6")):
    set_strings(tag, 6, [value])
set_strings(5092, 8, [packed.hexdigest().encode()])
set_numbers(5093, 4, [8])
header = put_together(tags, REGION)
md5.update(header)
with open(payload, "rb") as source:
    for piece in iter(lambda: source.read(1 << 20), b""):
        md5.update(piece)
proofs = {
    269: (6, 1, hashlib.sha1(header).hexdigest().encode() + b"\0"),
    273: (6, 1, hashlib.sha256(header).hexdigest().encode() + b"\0"),
    1000: (4, 1, struct.pack(">I", len(header) + os.path.getsize(payload))),
    1004: (7, 16, md5.digest()),
    1007: (4, 1, struct.pack(">I", unpacked & 0xFFFFFFFF)),
}
signature = put_together(proofs, 62)
lead = struct.pack(">4sBBhh66shh16s", b"\xed\xab\xee\xdb", 3, 0, 0, 1, ("%s-%s-%s" % (name, version, release)).encode()[:65], 1, 5, b"")
place = os.path.join(directory, file_name)
with open(place, "wb") as made:
    made.write(lead + signature + b"\0" * (-len(signature) % 8) + header)
    with open(payload, "rb") as source:
        for piece in iter(lambda: source.read(1 << 20), b""):
            made.write(piece)
os.unlink(payload)
total = hashlib.sha256()
with open(place, "rb") as made:
    for piece in iter(lambda: made.read(1 << 20), b""):
        total.update(piece)
print("held", file_name, "name", total.hexdigest(), os.path.getsize(place), sep="\t")
"""
