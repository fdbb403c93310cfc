//===- CpuImage.cpp - one object file becomes a code image ------------------===//
//
// lld lays out and resolves; the loadable segments are then copied to their addresses. An image that would need the
// loader to do more (relocations, imports, writable data) is refused.
//
//===----------------------------------------------------------------------===//

#include "moec/Target/Cpu/CpuTarget.h"
#include "lld/Common/Driver.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"

LLD_HAS_DRIVER(elf)

using namespace moec;
using namespace llvm;

namespace {

using ElfFile = object::ELFFile<object::ELF64LE>;

/// Why the linked file needs more than being copied, or an empty string.
std::string findWritableData(const ElfFile &elf) {
  auto sections = elf.sections();
  if (!sections)
    return toString(sections.takeError());
  for (const auto &section : *sections) {
    if (section.sh_type == ELF::SHT_RELA || section.sh_type == ELF::SHT_REL)
      return "the image needs relocations";
    bool writable = (section.sh_flags & ELF::SHF_ALLOC) && (section.sh_flags & ELF::SHF_WRITE);
    // What lld adds for a dynamic loader is not used.
    if (!writable || section.sh_size == 0 || section.sh_type == ELF::SHT_DYNAMIC)
      continue;
    auto name = elf.getSectionName(section);
    if (name && *name == ".relro_padding")
      continue;
    return "the image has writable data in section " + (name ? name->str() : std::string("?"));
  }
  return "";
}

Error fillImage(const ElfFile &elf, CodeImage &image) {
  auto headers = elf.program_headers();
  if (!headers)
    return headers.takeError();
  for (const auto &header : *headers) {
    if (header.p_type != ELF::PT_LOAD || (header.p_flags & ELF::PF_W))
      continue;
    image.bytes.resize(std::max<size_t>(image.bytes.size(), header.p_vaddr + header.p_memsz));
    memcpy(image.bytes.data() + header.p_vaddr, elf.base() + header.p_offset, header.p_filesz);
  }
  auto sections = elf.sections();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections) {
    if (section.sh_type != ELF::SHT_SYMTAB)
      continue;
    auto symbols = elf.symbols(&section);
    auto strings = elf.getStringTableForSymtab(section);
    if (!symbols || !strings)
      return symbols ? strings.takeError() : symbols.takeError();
    for (const auto &symbol : *symbols) {
      auto name = symbol.getName(*strings);
      if (!name)
        return name.takeError();
      if (symbol.getType() == ELF::STT_FUNC)
        image.entries[*name] = symbol.st_value;
    }
  }
  return Error::success();
}

} // namespace

FailureOr<CodeImage> moec::linkImage(StringRef object, std::string &error) {
  SmallString<128> objectPath, imagePath;
  if (sys::fs::createTemporaryFile("moec", "o", objectPath) || sys::fs::createTemporaryFile("moec", "so", imagePath)) {
    error = "cannot create a temporary file";
    return failure();
  }
  FileRemover removeObject(objectPath), removeImage(imagePath);
  std::error_code code;
  raw_fd_ostream stream(objectPath, code);
  stream << object;
  stream.close();
  if (code || stream.has_error()) {
    error = "cannot write a temporary file";
    return failure();
  }

  std::string messages;
  raw_string_ostream messageStream(messages);
  const char *arguments[] = {"ld.lld", "-shared", "-z", "defs", "-z", "norelro", "-Bsymbolic", "--threads=1", "--build-id=none",
                             "-o", imagePath.c_str(), objectPath.c_str()};
  lld::Result result = lld::lldMain(arguments, messageStream, messageStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) {
    error = "linking failed: " + messages;
    return failure();
  }
  auto buffer = MemoryBuffer::getFile(imagePath);
  if (!buffer) {
    error = "cannot read the linked image";
    return failure();
  }
  auto elf = ElfFile::create((*buffer)->getBuffer());
  if (!elf) {
    error = toString(elf.takeError());
    return failure();
  }
  CodeImage image;
  error = findWritableData(*elf);
  if (!error.empty())
    return failure();
  if (Error problem = fillImage(*elf, image)) {
    error = toString(std::move(problem));
    return failure();
  }
  return image;
}
