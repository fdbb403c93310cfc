// A state in place keeps its buffer and grows it by doubling; another one becomes the input of the next step by
// changing hands, without a copy.
#include "session/state.h"

#include "artifact/hash.h"
#include "element_type.h"
#include "session/outputs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace moert {

State::State(const Artifact &artifact, Device &device, Arena &arena)
    : artifact(artifact), device(device), arena(arena), tensors(artifact.states.size()) {
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].dims.resize(type(i).dims.size());
}

AxisLayout State::layout(size_t index) const {
  return AxisLayout::of(tensors[index].dims, row(index).axis, elementSize(type(index).elementType));
}

size_t State::firstGrowing() const {
  size_t index = 0;
  while (index < tensors.size() && !grows(index))
    ++index;
  return index;
}

int64_t State::getLength() const {
  const size_t index = firstGrowing();
  return isPresent && index < tensors.size() ? extent(index) : 0;
}

Status State::begin(size_t index, std::span<const int64_t> dims) {
  Tensor &tensor = tensors[index];
  // A first step that failed may have left memory, and that of a state in place serves again.
  if (row(index).in_place) {
    std::copy(dims.begin(), dims.end(), tensor.dims.begin());
    return Status::success();
  }
  release(tensor);
  std::copy(dims.begin(), dims.end(), tensor.dims.begin());
  return grows(index) ? Status::success() : allocate(index, 1);
}

moert_tensor_view_t State::getView(size_t index) const {
  const Tensor &tensor = tensors[index];
  return {type(index).elementType, static_cast<uint32_t>(tensor.dims.size()), tensor.dims.data(),
          row(index).in_place ? nullptr : tensor.data, layout(index).bytes(extent(index))};
}

void State::release(Tensor &tensor) {
  if (tensor.block != Arena::noBlock)
    arena.release(tensor.block);
  tensor.block = Arena::noBlock;
  tensor.data = nullptr;
}

Status State::allocate(size_t index, int64_t capacity) {
  Tensor &tensor = tensors[index];
  std::array<int64_t, MOERT_MAX_RANK> dims;
  std::copy(tensor.dims.begin(), tensor.dims.end(), dims.begin());
  if (grows(index))
    dims[row(index).axis] = capacity;
  uint64_t bytes = 0;
  if (!denseBytes(dims.data(), static_cast<uint32_t>(tensor.dims.size()), elementSize(type(index).elementType), bytes))
    return failure(MOERT_RUN_FAILED, "state '", type(index).name, "' has impossible extents ",
                   formatExtents(dims.data(), tensor.dims.size()));
  const Arena::Block block = arena.allocate(bytes);
  if (block == Arena::noBlock)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", bytes, " bytes for state '", type(index).name, "'");
  tensor.block = block;
  tensor.data = arena.address(block);
  tensor.capacity = capacity;
  return device.fillZero(tensor.data, bytes);
}

// Capacity doubles, so that a position costs the same however many there are.
Status State::reserve(size_t index, std::span<const int64_t> dims, int64_t length, StateMemory &memory) {
  constexpr int64_t smallestCapacity = 64;
  Tensor &tensor = tensors[index];
  const int64_t held = isPresent ? extent(index) : 0;
  if (!isPresent)
    release(tensor); // of a first step that failed, perhaps of other extents
  std::copy(dims.begin(), dims.end(), tensor.dims.begin());
  tensor.dims[row(index).axis] = held;
  if (tensor.block == Arena::noBlock || tensor.capacity < length) {
    Tensor old = tensor;
    tensor.block = Arena::noBlock;
    const bool moves = old.block != Arena::noBlock;
    const int64_t grown = moves ? std::min(old.capacity, length) * 2 : 0;
    Status status = allocate(index, std::max({length, smallestCapacity, grown}));
    if (status.ok() && moves)
      status = copyPositions(device, CopyKind::Inside, layout(index), old.data, old.capacity, tensor.data,
                             tensor.capacity, held);
    if (!status.ok())
      std::swap(tensor, old);
    release(old);
    MOERT_TRY(std::move(status));
  }
  memory = {tensor.data, layout(index).bytes(tensor.capacity), tensor.capacity, /*holdsPast=*/true};
  return Status::success();
}

void State::advance(Outputs &outputs) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    OwnedTensor &written = outputs.getState(row(i).output);
    // The extents change places, so that both sides keep room for their rank.
    std::swap(tensors[i].dims, written.dims);
    if (row(i).in_place)
      continue;
    release(tensors[i]);
    tensors[i].capacity = extent(i);
    tensors[i].data = std::exchange(written.data, nullptr);
    tensors[i].block = std::exchange(written.block, Arena::noBlock);
  }
  isPresent = true;
}

void State::reset() {
  for (Tensor &tensor : tensors)
    release(tensor);
  isPresent = false;
}

Status State::truncate(int64_t length) {
  if (length == 0) {
    reset();
    return Status::success();
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!grows(i)) {
      if (length != getLength())
        return failure(MOERT_UNSUPPORTED, "cannot truncate to ", length, " positions: each step replaces state '",
                       type(i).name, "'");
      continue;
    }
    const int64_t held = isPresent ? extent(i) : 0;
    if (length < 0 || length > held)
      return failure(MOERT_INVALID_ARGUMENT, "cannot truncate to ", length, " positions: state '", type(i).name,
                     "' holds ", held);
    if (held != getLength())
      return failure(MOERT_UNSUPPORTED, "cannot truncate: states hold ", getLength(), " and ", held, " positions");
  }
  for (size_t i = 0; i < tensors.size() && isPresent; ++i) {
    Tensor &tensor = tensors[i];
    if (!grows(i))
      continue;
    tensor.dims[row(i).axis] = length;
    if (row(i).in_place)
      continue;
    MOERT_TRY(
        copyPositions(device, CopyKind::Inside, layout(i), tensor.data, tensor.capacity, tensor.data, length, length));
    tensor.capacity = length;
  }
  return Status::success();
}

// Sessions may have separate memories, so the positions pass through the host where it does not see them anyway.
Status State::copyHeld(size_t index, const State &other) {
  const Tensor &source = other.tensors[index];
  const AxisLayout shape = layout(index);
  const std::byte *data = source.data;
  int64_t sourceExtent = source.capacity;
  AlignedBytes packed;
  if (!other.device.addressesHost) {
    packed = allocateAligned(shape.bytes(extent(index)));
    if (!packed)
      return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", shape.bytes(extent(index)), " bytes for a copy of state");
    sourceExtent = extent(index);
    MOERT_TRY(copyPositions(other.device, CopyKind::Download, shape, data, source.capacity, packed.get(), sourceExtent,
                            sourceExtent));
    data = packed.get();
  }
  return copyPositions(device, CopyKind::Upload, shape, data, sourceExtent, tensors[index].data,
                       tensors[index].capacity, extent(index));
}

Status State::copyFrom(const State &other) {
  reset();
  if (other.isEmpty())
    return Status::success();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor &source = other.tensors[i];
    std::copy(source.dims.begin(), source.dims.end(), tensors[i].dims.begin());
    MOERT_TRY(allocate(i, source.capacity));
    MOERT_TRY(copyHeld(i, other));
  }
  isPresent = true;
  return Status::success();
}

namespace {

// Saved state: this header; for each state its extents (int64_t) and bytes, if there is any; BLAKE2b-256 of all before.
struct SavedHeader {
  char magic[8];
  uint8_t program[32]; // hash of the section table of the program's file
  uint64_t isPresent;
};
constexpr char savedMagic[] = "MOESTAT\x1a";
static_assert(sizeof(savedMagic) - 1 == sizeof(SavedHeader::magic));

} // namespace

size_t State::getSavedSize() const {
  size_t size = sizeof(SavedHeader) + sizeof(Hash);
  for (size_t i = 0; i < tensors.size() && isPresent; ++i)
    size += tensors[i].dims.size() * sizeof(int64_t) + layout(i).bytes(extent(i));
  return size;
}

Status State::save(std::span<std::byte> bytes) const {
  std::byte *at = bytes.data();
  auto append = [&](const void *data, size_t size) {
    if (size)
      std::memcpy(at, data, size);
    at += size;
  };
  SavedHeader header;
  std::memcpy(header.magic, savedMagic, sizeof(header.magic));
  std::memcpy(header.program, artifact.container.header.table_hash, sizeof(header.program));
  header.isPresent = isPresent;
  append(&header, sizeof(header));
  for (size_t i = 0; i < tensors.size() && isPresent; ++i) {
    const Tensor &tensor = tensors[i];
    append(tensor.dims.data(), tensor.dims.size() * sizeof(int64_t));
    MOERT_TRY(
        copyPositions(device, CopyKind::Download, layout(i), tensor.data, tensor.capacity, at, extent(i), extent(i)));
    at += layout(i).bytes(extent(i));
  }
  const Hash hash = blake2b(bytes.first(static_cast<size_t>(at - bytes.data())));
  append(hash.data(), hash.size());
  return Status::success();
}

Status State::checkSaved(std::span<const std::byte> bytes) const {
  SavedHeader header;
  if (bytes.size() < sizeof(header) + sizeof(Hash))
    return failure(MOERT_INVALID_FILE, "saved state: ", bytes.size(), " bytes, expected at least ",
                   sizeof(header) + sizeof(Hash));
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, savedMagic, sizeof(header.magic)) != 0)
    return failure(MOERT_INVALID_FILE, "saved state: it does not start with the magic bytes");
  if (std::memcmp(header.program, artifact.container.header.table_hash, sizeof(header.program)) != 0)
    return failure(MOERT_INVALID_FILE, "saved state: it belongs to another program");
  const size_t hashed = bytes.size() - sizeof(Hash);
  const Hash hash = blake2b(bytes.first(hashed));
  if (std::memcmp(hash.data(), bytes.data() + hashed, hash.size()) != 0)
    return failure(MOERT_INVALID_FILE, "saved state: hash does not match, the bytes are damaged");
  return Status::success();
}

Status State::loadTensor(size_t index, std::span<const std::byte> &rest) {
  const TensorType &expected = type(index);
  std::vector<int64_t> &dims = tensors[index].dims;
  const size_t dimBytes = dims.size() * sizeof(int64_t);
  if (rest.size() < dimBytes)
    return failure(MOERT_INVALID_FILE, "saved state: extents of '", expected.name, "' are missing");
  std::memcpy(dims.data(), rest.data(), dimBytes);
  rest = rest.subspan(dimBytes);
  for (size_t axis = 0; axis < dims.size(); ++axis)
    if (expected.dims[axis] >= 0 && dims[axis] != expected.dims[axis])
      return failure(MOERT_INVALID_FILE, "saved state: '", expected.name, "' axis ", axis, ": extent ", dims[axis],
                     ", expected ", expected.dims[axis]);
  uint64_t bytes = 0;
  if (!denseBytes(dims.data(), static_cast<uint32_t>(dims.size()), elementSize(expected.elementType), bytes) ||
      bytes > rest.size())
    return failure(MOERT_INVALID_FILE, "saved state: bytes of '", expected.name, "' are missing");
  MOERT_TRY(allocate(index, extent(index)));
  MOERT_TRY(device.upload(tensors[index].data, rest.data(), bytes));
  rest = rest.subspan(bytes);
  return Status::success();
}

Status State::load(std::span<const std::byte> bytes) {
  MOERT_TRY(checkSaved(bytes));
  SavedHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::span<const std::byte> rest = bytes.subspan(sizeof(header), bytes.size() - sizeof(header) - sizeof(Hash));
  State loaded(artifact, device, arena);
  for (size_t i = 0; i < tensors.size() && header.isPresent; ++i)
    MOERT_TRY(loaded.loadTensor(i, rest));
  if (!rest.empty())
    return failure(MOERT_INVALID_FILE, "saved state: ", rest.size(), " bytes too many");
  std::swap(tensors, loaded.tensors);
  isPresent = header.isPresent != 0;
  return Status::success();
}

} // namespace moert
