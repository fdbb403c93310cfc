// PTX is cut by its braces. Cubins are ELF files with a section of code for each function; an instruction has 16 bytes,
// its opcode is in the low 12 bits. NVIDIA does not document the encoding: names were found by comparing what ptxas
// makes of small kernels.
#include "dump_gpu.h"

#include "tool_error.h"

#include <filesystem>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <elf.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace moert::tools {

static bool isNamePart(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }

// The entry with its linkage and body; empty if it is not there.
static std::string_view findEntry(std::string_view ptx, const std::string &name) {
  constexpr std::string_view keyword = ".entry ";
  for (size_t at = ptx.find(keyword); at != ptx.npos; at = ptx.find(keyword, at + 1)) {
    const size_t begin = at + keyword.size(), behind = begin + name.size();
    if (ptx.substr(begin, name.size()) != name || (behind < ptx.size() && isNamePart(ptx[behind])))
      continue;
    size_t end = ptx.find('{', behind);
    for (int depth = 0; end < ptx.size(); ++end) {
      depth += ptx[end] == '{' ? 1 : ptx[end] == '}' ? -1 : 0;
      if (depth == 0)
        break;
    }
    const size_t line = ptx.rfind('\n', at) + 1; // 0 if there is none
    return ptx.substr(line, std::min(end + 1, ptx.size()) - line);
  }
  return {};
}

// Lines of directives at the start.
static std::string_view getHead(std::string_view ptx) {
  const size_t end = ptx.find(".address_size");
  return end == ptx.npos ? std::string_view() : ptx.substr(0, std::min(ptx.find('\n', end), ptx.size() - 1) + 1);
}

std::string dumpPtx(const Artifact &artifact, const std::string &kernel) {
  std::string text;
  const auto known = std::find_if(artifact.kernels.begin(), artifact.kernels.end(),
                                  [&](const KernelDeclaration &declaration) { return declaration.name == kernel; });
  if (!kernel.empty() && known == artifact.kernels.end())
    throw ToolError("the file has no kernel '" + kernel + "'");
  for (const GpuVariant &variant : artifact.gpuVariants) {
    text += "// " + variant.name + "\n";
    if (kernel.empty()) {
      text += std::string(variant.ptx) + "\n";
      continue;
    }
    const GpuEntry &entry = variant.entries[static_cast<size_t>(known - artifact.kernels.begin())];
    (text += getHead(variant.ptx)) += findEntry(variant.ptx, entry.name);
    text += "\n";
  }
  if (text.empty())
    throw ToolError("the file has no code for GPUs");
  return text;
}

namespace {

// A file that is gone when the object is.
class TemporaryFile {
public:
  explicit TemporaryFile(std::span<const std::byte> bytes) {
    path = (std::filesystem::temp_directory_path() / "moe-dump-XXXXXX").string(); // mkstemp fills the end in
    const int descriptor = mkstemp(path.data());
    if (descriptor < 0)
      throw ToolError("cannot create a temporary file '" + path + "'");
    const bool isWritten = write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    close(descriptor);
    if (!isWritten) {
      unlink(path.c_str());
      throw ToolError("cannot write '" + path + "'");
    }
  }
  TemporaryFile(const TemporaryFile &) = delete;
  ~TemporaryFile() { unlink(path.c_str()); }

  std::string path;
};

} // namespace

static void disassemble(std::span<const std::byte> image) {
  TemporaryFile file(image);
  std::string tool = "nvdisasm", option = "--print-code";
  char *arguments[] = {tool.data(), option.data(), file.path.data(), nullptr};
  pid_t process = 0;
  std::fflush(stdout);
  if (posix_spawnp(&process, tool.c_str(), nullptr, nullptr, arguments, environ) != 0)
    throw ToolError("--sass needs nvdisasm, which is not installed (it comes with the CUDA toolkit)");
  int status = 0;
  if (waitpid(process, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw ToolError("nvdisasm failed");
}

void printSass(const Artifact &artifact) {
  size_t images = 0;
  for (const GpuVariant &variant : artifact.gpuVariants)
    for (const GpuImage &image : variant.images) {
      std::printf("// %s, compute capability %u.%u\n", variant.name.c_str(), image.computeCapability / 10,
                  image.computeCapability % 10);
      disassemble(image.bytes);
      ++images;
    }
  if (images == 0)
    throw ToolError("the file has no cubins: they are made where ptxas is installed");
}

// Copies a structure out of the file; false if it does not lie inside.
template <typename T> static bool readAt(std::span<const std::byte> bytes, uint64_t offset, T &value) {
  if (offset > bytes.size() || sizeof(T) > bytes.size() - offset)
    return false;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return true;
}

static std::string_view readName(std::span<const std::byte> cubin, const Elf64_Shdr &names, uint32_t offset) {
  if (names.sh_offset > cubin.size() || names.sh_size > cubin.size() - names.sh_offset || offset >= names.sh_size)
    return {};
  const auto *text = reinterpret_cast<const char *>(cubin.data() + names.sh_offset);
  return {text + offset, strnlen(text + offset, names.sh_size - offset)};
}

OpcodeCounts countOpcodes(std::span<const std::byte> cubin) {
  OpcodeCounts counts;
  Elf64_Ehdr header;
  Elf64_Shdr names, section;
  if (!readAt(cubin, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_shoff > cubin.size() ||
      !readAt(cubin, header.e_shoff + header.e_shstrndx * sizeof(section), names))
    return counts;
  constexpr std::string_view prefix = ".text.";
  for (uint32_t i = 0; i < header.e_shnum; ++i) {
    if (!readAt(cubin, header.e_shoff + i * sizeof(section), section))
      break;
    const std::string_view name = readName(cubin, names, section.sh_name);
    if (!name.starts_with(prefix) || section.sh_offset > cubin.size() ||
        section.sh_size > cubin.size() - section.sh_offset)
      continue;
    std::map<uint32_t, uint64_t> &function = counts[std::string(name.substr(prefix.size()))];
    for (uint64_t at = 0; at + 16 <= section.sh_size; at += 16) {
      uint32_t word = 0;
      std::memcpy(&word, cubin.data() + section.sh_offset + at, sizeof(word));
      ++function[word & 0xfff];
    }
  }
  return counts;
}

struct OpcodeName {
  uint32_t opcode;
  const char *name;
};

static constexpr OpcodeName opcodeNames[] = {
    {0x23c, "HMMA"},
    {0x237, "IMMA"},
    {0x27a, "QMMA"},
    {0x83b, "LDSM"},
    {0x844, "STSM"},
    {0xfae, "LDGSTS"},
    {0x981, "LDG"},
    {0x986, "STG"},
    {0x5b4, "UTMALDG"},
    {0x5a7, "SYNCS try_wait"},
    {0x9a7, "SYNCS arrive.tx"},
    {0x9f0, "HGMMA"},
    {0x9f3, "QGMMA"},
    {0x5ea, "UTCMMA"},
    {0xb1d, "BAR"},
    {0xf89, "SHFL"},
    {0x918, "NOP"},
    {0x94d, "EXIT"},
    {0x947, "BRA"},
    {0x9a6, "RED.v4"},
};

static std::string formatOpcode(uint32_t opcode) {
  char text[16];
  std::snprintf(text, sizeof(text), "0x%03x", opcode);
  for (const OpcodeName &known : opcodeNames)
    if (known.opcode == opcode)
      return std::string(text) + " " + known.name;
  return text;
}

std::string dumpOpcodes(const Artifact &artifact) {
  std::string text;
  for (const GpuVariant &variant : artifact.gpuVariants)
    for (const GpuImage &image : variant.images)
      for (const auto &[function, opcodes] : countOpcodes(image.bytes)) {
        text += function + " (" + variant.name + ", compute capability " +
                std::to_string(image.computeCapability / 10) + "." + std::to_string(image.computeCapability % 10) +
                ")\n";
        std::vector<std::pair<uint64_t, uint32_t>> sorted;
        for (auto [opcode, count] : opcodes)
          sorted.emplace_back(count, opcode);
        std::sort(sorted.rbegin(), sorted.rend());
        for (auto [count, opcode] : sorted)
          text += "  " + formatOpcode(opcode) + ": " + std::to_string(count) + "\n";
      }
  if (text.empty())
    throw ToolError("the file has no cubins: they are made where ptxas is installed");
  return text;
}

} // namespace moert::tools
