// GPU code sections: header, entries and images are tables; everything they refer to lies behind them.
#include "artifact/gpu_code.h"

#include <cstring>

namespace moert {
namespace {

class GpuCodeReader {
public:
  GpuCodeReader(std::span<const std::byte> section, const StringLookUp &lookUp, GpuVariant &variant)
      : section(section), lookUp(lookUp), variant(variant) {}

  Status read(size_t kernelCount);

private:
  Status readTables(size_t kernelCount);
  Status readEntry(const moert_gpu_entry_t &row);
  Status readImage(size_t index);
  Status readPtx();
  // Bytes behind the tables.
  Status getBytes(std::string_view what, uint64_t offset, uint64_t size, std::span<const std::byte> &bytes) const;
  template <typename... Pieces> Status invalid(const Pieces &...pieces) const {
    return failure(MOERT_INVALID_FILE, "GPU code section '", variant.name, "': ", pieces...);
  }

  std::span<const std::byte> section;
  const StringLookUp &lookUp;
  GpuVariant &variant;
  moert_gpu_code_t header;
  uint64_t entriesEnd = 0, tablesEnd = 0;
};

Status GpuCodeReader::readTables(size_t kernelCount) {
  if (header.reserved != 0)
    return invalid("reserved field is ", header.reserved, ", expected 0");
  if (header.compute_capability == 0)
    return invalid("compute capability 0, expected a positive one");
  if (header.entry_count != kernelCount)
    return invalid(header.entry_count, " entries, expected one for each of ", kernelCount, " kernels");
  // No overflow: the counts have 32 bits.
  entriesEnd = sizeof(header) + header.entry_count * uint64_t(sizeof(moert_gpu_entry_t));
  tablesEnd = entriesEnd + header.image_count * uint64_t(sizeof(moert_gpu_image_t));
  if (tablesEnd > section.size())
    return invalid(header.entry_count, " entries and ", header.image_count, " images exceed the section of ",
                   section.size(), " bytes");
  return Status::success();
}

Status GpuCodeReader::readEntry(const moert_gpu_entry_t &row) {
  GpuEntry &entry = variant.entries.emplace_back();
  MOERT_TRY(lookUp(row.name, "GPU code section", entry.name));
  if (entry.name.empty())
    return invalid("an entry without a name");
  if (row.threads == 0 || row.threads > MOERT_MAX_GPU_THREADS)
    return invalid("entry '", entry.name, "' has blocks of ", row.threads, " threads, expected 1 to ",
                   uint32_t(MOERT_MAX_GPU_THREADS));
  if (row.flags & ~uint32_t(MOERT_GPU_COOPERATIVE))
    return invalid("entry '", entry.name, "' has unknown flags ", row.flags);
  if (row.reserved != 0)
    return invalid("entry '", entry.name, "': reserved field is ", row.reserved, ", expected 0");
  entry.threads = row.threads;
  entry.sharedBytes = row.shared_bytes;
  entry.isCooperative = row.flags & MOERT_GPU_COOPERATIVE;
  entry.registers = row.registers;
  entry.spillBytes = row.spill_bytes;
  return Status::success();
}

Status GpuCodeReader::getBytes(std::string_view what, uint64_t offset, uint64_t size,
                               std::span<const std::byte> &bytes) const {
  if (offset < tablesEnd || offset > section.size() || size > section.size() - offset)
    return invalid(what, " of ", size, " bytes at offset ", offset,
                   " does not lie between the tables and the section's end");
  bytes = section.subspan(offset, size);
  return Status::success();
}

Status GpuCodeReader::readImage(size_t index) {
  moert_gpu_image_t row;
  std::memcpy(&row, section.data() + entriesEnd + index * sizeof(row), sizeof(row));
  if (row.reserved != 0)
    return invalid("image ", index, ": reserved field is ", row.reserved, ", expected 0");
  if (row.compute_capability == 0 || row.size == 0)
    return invalid("image ", index, " of ", row.size, " bytes for compute capability ", row.compute_capability);
  GpuImage &image = variant.images.emplace_back();
  image.computeCapability = row.compute_capability;
  return getBytes("image", row.offset, row.size, image.bytes);
}

// The driver takes the text up to its first zero byte.
Status GpuCodeReader::readPtx() {
  std::span<const std::byte> bytes;
  MOERT_TRY(getBytes("PTX", header.ptx_offset, header.ptx_size, bytes));
  const auto *text = reinterpret_cast<const char *>(bytes.data());
  const void *end = bytes.empty() ? nullptr : std::memchr(text, 0, bytes.size());
  if (end != text + bytes.size() - 1 || bytes.size() < 2)
    return invalid("PTX of ", bytes.size(), " bytes, expected text with its only zero byte at the end");
  variant.ptx = {text, bytes.size() - 1};
  return Status::success();
}

Status GpuCodeReader::read(size_t kernelCount) {
  if (section.size() < sizeof(header))
    return failure(MOERT_INVALID_FILE, "GPU code section: ", section.size(), " bytes, expected at least ",
                   sizeof(header));
  std::memcpy(&header, section.data(), sizeof(header));
  MOERT_TRY(lookUp(header.variant, "GPU code section", variant.name));
  MOERT_TRY(readTables(kernelCount));
  variant.computeCapability = header.compute_capability;
  for (uint32_t i = 0; i < header.entry_count; ++i) {
    moert_gpu_entry_t row;
    std::memcpy(&row, section.data() + sizeof(header) + i * sizeof(row), sizeof(row));
    MOERT_TRY(readEntry(row));
  }
  for (uint32_t i = 0; i < header.image_count; ++i)
    MOERT_TRY(readImage(i));
  return readPtx();
}

} // namespace

Status readGpuVariant(std::span<const std::byte> section, size_t kernelCount, const StringLookUp &lookUp,
                      GpuVariant &variant) {
  return GpuCodeReader(section, lookUp, variant).read(kernelCount);
}

} // namespace moert
