// Reader of the outer layer. Every offset and size is compared by subtraction from what is left of the file.
#include "artifact/container.h"

#include "artifact/hash.h"
#include "artifact/seal.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

namespace moert {

struct SectionKind {
  uint32_t type;
  const char *name;
  bool isRequired = true, isRepeatable = false;
};

static constexpr SectionKind sectionKinds[] = {
    {MOERT_SECTION_STRINGS, "strings"},
    {MOERT_SECTION_INFO, "info"},
    {MOERT_SECTION_SYMBOLS, "symbols"},
    {MOERT_SECTION_DIMS, "dims"},
    {MOERT_SECTION_SIGNATURE, "signature"},
    {MOERT_SECTION_WEIGHTS, "weights"},
    {MOERT_SECTION_KERNELS, "kernels"},
    {MOERT_SECTION_PROGRAM, "program"},
    {MOERT_SECTION_LAYERS, "layers"},
    {MOERT_SECTION_EXPERTS, "experts"},
    {MOERT_SECTION_STATES, "states"},
    {MOERT_SECTION_CODE, "code", /*isRequired=*/false, /*isRepeatable=*/true},
    {MOERT_SECTION_WEIGHT_DATA, "weight data"},
    {MOERT_SECTION_TOKENIZER, "tokenizer"},
    {MOERT_SECTION_GPU_CODE, "GPU code", /*isRequired=*/false, /*isRepeatable=*/true},
    {MOERT_SECTION_READS, "reads", /*isRequired=*/false},
    {MOERT_SECTION_SEAL, "seal", /*isRequired=*/false},
};

static const SectionKind *findKind(uint32_t type) {
  const auto *kind = std::find_if(std::begin(sectionKinds), std::end(sectionKinds),
                                  [&](const SectionKind &candidate) { return candidate.type == type; });
  return kind == std::end(sectionKinds) ? nullptr : kind;
}

std::string sectionName(uint32_t type) {
  const SectionKind *kind = findKind(type);
  return kind ? std::string(kind->name) + " section" : "section of type " + std::to_string(type);
}

const Section *Container::find(uint32_t type) const {
  const auto section = std::find_if(sections.begin(), sections.end(),
                                    [&](const Section &candidate) { return candidate.entry.type == type; });
  return section == sections.end() ? nullptr : &*section;
}

static Status readHeader(const FileSource &source, moert_file_header_t &header) {
  if (source.size() < sizeof(header))
    return failure(MOERT_INVALID_FILE, "not a .moe file: ", source.size(), " bytes, expected at least ",
                   sizeof(header));
  MOERT_TRY(source.read(0, sizeof(header), reinterpret_cast<std::byte *>(&header)));
  if (std::memcmp(header.magic, MOERT_MAGIC, sizeof(header.magic)) != 0)
    return failure(MOERT_INVALID_FILE, "not a .moe file: it does not start with the magic bytes");
  if (header.minimum_reader_version > MOERT_READER_VERSION)
    return failure(MOERT_UNSUPPORTED, "the file needs reader version ", header.minimum_reader_version,
                   ", this runtime has version ", uint32_t(MOERT_READER_VERSION));
  if (header.format_version < MOERT_FORMAT_VERSION)
    return failure(MOERT_UNSUPPORTED, "the file has format version ", header.format_version,
                   ", this runtime reads versions from ", uint32_t(MOERT_FORMAT_VERSION), " on: compile it again");
  if (header.file_size != source.size())
    return failure(MOERT_INVALID_FILE,
                   header.file_size > source.size() ? "truncated file: " : "file too long: ", source.size(),
                   " bytes, expected ", header.file_size);
  if (header.section_count == 0 || header.section_count > MOERT_MAX_SECTIONS)
    return failure(MOERT_INVALID_FILE, "header: ", header.section_count, " sections, expected 1 to ",
                   uint32_t(MOERT_MAX_SECTIONS));
  if (header.reserved != 0)
    return failure(MOERT_INVALID_FILE, "header: reserved field is ", header.reserved, ", expected 0");
  return Status::success();
}

static Status readTable(const FileSource &source, Container &container) {
  const uint32_t count = container.header.section_count;
  const uint64_t bytes = count * sizeof(moert_section_t);
  if (source.size() - sizeof(moert_file_header_t) < bytes)
    return failure(MOERT_INVALID_FILE, "section table: ", bytes, " bytes do not fit the file");
  std::vector<moert_section_t> table(count);
  MOERT_TRY(source.read(sizeof(moert_file_header_t), bytes, reinterpret_cast<std::byte *>(table.data())));
  const Hash hash = blake2b(std::as_bytes(std::span(table)));
  if (std::memcmp(hash.data(), container.header.table_hash, hash.size()) != 0)
    return failure(MOERT_INVALID_FILE, "section table: hash does not match, the file is damaged");
  container.sections.resize(count);
  for (uint32_t i = 0; i < count; ++i)
    container.sections[i].entry = table[i];
  return Status::success();
}

static Status checkZero(const FileSource &source, uint64_t begin, uint64_t end) {
  static constexpr std::byte zeros[4096] = {};
  std::byte gap[sizeof(zeros)];
  while (begin < end) {
    const uint64_t piece = std::min<uint64_t>(end - begin, sizeof(gap));
    MOERT_TRY(source.read(begin, piece, gap));
    if (std::memcmp(gap, zeros, piece) != 0)
      return failure(MOERT_INVALID_FILE, "bytes between sections near offset ", begin, " are not zero");
    begin += piece;
  }
  return Status::success();
}

// Sections follow each other at aligned offsets, without gap or overlap, up to the end of the file.
static Status checkPlacement(const FileSource &source, const Container &container) {
  const uint64_t fileSize = source.size();
  uint64_t end = sizeof(moert_file_header_t) + container.header.section_count * sizeof(moert_section_t);
  for (const Section &section : container.sections) {
    const moert_section_t &entry = section.entry;
    const std::string name = sectionName(entry.type);
    // No overflow: `end` is at most the size of a file that exists.
    const uint64_t expected = (end + MOERT_SECTION_ALIGNMENT - 1) / MOERT_SECTION_ALIGNMENT * MOERT_SECTION_ALIGNMENT;
    if (entry.offset != expected)
      return failure(MOERT_INVALID_FILE, name, ": offset ", entry.offset, ", expected ", expected);
    if (entry.offset > fileSize || entry.size > fileSize - entry.offset)
      return failure(MOERT_INVALID_FILE, name, ": ", entry.size, " bytes at offset ", entry.offset,
                     " exceed the file of ", fileSize, " bytes");
    if (entry.type != MOERT_SECTION_WEIGHT_DATA && entry.size > MOERT_MAX_TABLE_BYTES)
      return failure(MOERT_INVALID_FILE, name, ": ", entry.size, " bytes, expected at most ",
                     uint64_t(MOERT_MAX_TABLE_BYTES));
    if (entry.reserved != 0)
      return failure(MOERT_INVALID_FILE, name, ": reserved field is ", entry.reserved, ", expected 0");
    MOERT_TRY(checkZero(source, end, entry.offset));
    end = entry.offset + entry.size;
  }
  if (end != fileSize)
    return failure(MOERT_INVALID_FILE, "the last section ends at ", end, ", the file at ", fileSize);
  return Status::success();
}

static Status checkPresence(const Container &container) {
  for (const SectionKind &kind : sectionKinds) {
    const auto count = std::count_if(container.sections.begin(), container.sections.end(),
                                     [&](const Section &section) { return section.entry.type == kind.type; });
    if (count == 0 && kind.isRequired)
      return failure(MOERT_INVALID_FILE, kind.name, " section is missing");
    if (count > 1 && !kind.isRepeatable)
      return failure(MOERT_INVALID_FILE, kind.name, " section exists ", count, " times, expected once");
  }
  if (!container.find(MOERT_SECTION_CODE) && !container.find(MOERT_SECTION_GPU_CODE))
    return failure(MOERT_INVALID_FILE, "no code section, neither for CPUs nor for GPUs");
  return Status::success();
}

static Status copySection(const FileSource &source, Section &section) {
  const moert_section_t &entry = section.entry;
  section.copy.reset(new (std::nothrow) std::byte[entry.size]);
  if (!section.copy)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", entry.size, " bytes for the ", sectionName(entry.type));
  MOERT_TRY(source.read(entry.offset, entry.size, section.copy.get()));
  const Hash hash = blake2b(section.bytes());
  if (std::memcmp(hash.data(), entry.hash, hash.size()) != 0)
    return failure(MOERT_INVALID_FILE, sectionName(entry.type), ": hash does not match, the file is damaged");
  return Status::success();
}

Status readContainer(const FileSource &source, const uint8_t *requiredKey, Container &container) {
  MOERT_TRY(readHeader(source, container.header));
  MOERT_TRY(readTable(source, container));
  MOERT_TRY(checkPlacement(source, container));
  MOERT_TRY(checkPresence(container));
  for (Section &section : container.sections)
    if (section.entry.type == MOERT_SECTION_SEAL)
      MOERT_TRY(copySection(source, section));
  MOERT_TRY(checkSeal(container, requiredKey));
  for (Section &section : container.sections)
    if (findKind(section.entry.type) && section.entry.type != MOERT_SECTION_WEIGHT_DATA && !section.copy)
      MOERT_TRY(copySection(source, section));
  return Status::success();
}

} // namespace moert
