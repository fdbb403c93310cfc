// State is functional here: the output of one step becomes the input of the next by changing hands, without a copy.
#include "session/state.h"

#include "artifact/hash.h"
#include "element_type.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace moert {

State::State(const Artifact &artifact, Arena &arena)
    : artifact(artifact), arena(arena), tensors(artifact.states.size()) {
  for (size_t i = 0; i < tensors.size(); ++i)
    tensors[i].dims.resize(artifact.inputs[artifact.states[i].input].dims.size());
}

int64_t State::getLength() const {
  return isPresent && !tensors.empty() ? tensors[0].dims[artifact.states[0].axis] : 0;
}

moert_tensor_view_t State::getView(size_t index) const {
  const OwnedTensor &tensor = tensors[index];
  return {artifact.inputs[artifact.states[index].input].elementType, static_cast<uint32_t>(tensor.dims.size()),
          tensor.dims.data(), tensor.data, tensor.byteSize};
}

void State::advance(Outputs &outputs) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    OwnedTensor &written = outputs.getState(artifact.states[i].output);
    if (tensors[i].block != Arena::noBlock)
      arena.release(tensors[i].block);
    std::swap(tensors[i].dims, written.dims);
    tensors[i].byteSize = written.byteSize;
    tensors[i].data = std::exchange(written.data, nullptr);
    tensors[i].block = std::exchange(written.block, Arena::noBlock);
  }
  isPresent = true;
}

void State::reset() {
  for (OwnedTensor &tensor : tensors) {
    if (tensor.block != Arena::noBlock)
      arena.release(tensor.block);
    tensor.block = Arena::noBlock;
    tensor.data = nullptr;
  }
  isPresent = false;
}

Status State::truncate(int64_t length) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t held = isPresent ? tensors[i].dims[artifact.states[i].axis] : 0;
    if (length < 0 || length > held)
      return failure(MOERT_INVALID_ARGUMENT, "cannot truncate to ", length, " positions: state '",
                     artifact.inputs[artifact.states[i].input].name, "' holds ", held);
    if (held != getLength())
      return failure(MOERT_UNSUPPORTED, "cannot truncate: states hold ", getLength(), " and ", held, " positions");
  }
  for (size_t i = 0; i < tensors.size() && isPresent; ++i) {
    OwnedTensor &tensor = tensors[i];
    const uint32_t axis = artifact.states[i].axis;
    uint64_t outer = 1, inner = elementSize(artifact.inputs[artifact.states[i].input].elementType);
    for (uint32_t d = 0; d < tensor.dims.size(); ++d)
      (d < axis ? outer : inner) *= d == axis ? 1 : static_cast<uint64_t>(tensor.dims[d]);
    const uint64_t before = static_cast<uint64_t>(tensor.dims[axis]) * inner;
    const uint64_t after = static_cast<uint64_t>(length) * inner;
    for (uint64_t row = 1; row < outer && after; ++row)
      std::memmove(tensor.data + row * after, tensor.data + row * before, after);
    tensor.dims[axis] = length;
    tensor.byteSize = outer * after;
  }
  return Status::success();
}

Status State::allocate(size_t index) {
  OwnedTensor &tensor = tensors[index];
  tensor.block = arena.allocate(tensor.byteSize);
  if (tensor.block == Arena::noBlock)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", tensor.byteSize, " bytes for state '",
                   artifact.inputs[artifact.states[index].input].name, "'");
  tensor.data = arena.address(tensor.block);
  return Status::success();
}

Status State::copyFrom(const State &other) {
  reset();
  if (other.isEmpty())
    return Status::success();
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::copy(other.tensors[i].dims.begin(), other.tensors[i].dims.end(), tensors[i].dims.begin());
    tensors[i].byteSize = other.tensors[i].byteSize;
    MOERT_TRY(allocate(i));
    std::memcpy(tensors[i].data, other.tensors[i].data, tensors[i].byteSize);
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
  for (const OwnedTensor &tensor : tensors)
    size += isPresent ? tensor.dims.size() * sizeof(int64_t) + tensor.byteSize : 0;
  return size;
}

void State::save(std::span<std::byte> bytes) const {
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
  for (const OwnedTensor &tensor : tensors) {
    if (!isPresent)
      break;
    append(tensor.dims.data(), tensor.dims.size() * sizeof(int64_t));
    append(tensor.data, tensor.byteSize);
  }
  const Hash hash = blake2b(bytes.first(static_cast<size_t>(at - bytes.data())));
  append(hash.data(), hash.size());
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
  const TensorType &type = artifact.inputs[artifact.states[index].input];
  OwnedTensor &tensor = tensors[index];
  const size_t dimBytes = type.dims.size() * sizeof(int64_t);
  if (rest.size() < dimBytes)
    return failure(MOERT_INVALID_FILE, "saved state: extents of '", type.name, "' are missing");
  std::memcpy(tensor.dims.data(), rest.data(), dimBytes);
  rest = rest.subspan(dimBytes);
  for (size_t axis = 0; axis < type.dims.size(); ++axis)
    if (type.dims[axis] >= 0 && tensor.dims[axis] != type.dims[axis])
      return failure(MOERT_INVALID_FILE, "saved state: '", type.name, "' axis ", axis, ": extent ",
                     tensor.dims[axis], ", expected ", type.dims[axis]);
  if (!denseBytes(tensor.dims.data(), static_cast<uint32_t>(tensor.dims.size()), elementSize(type.elementType),
                  tensor.byteSize) ||
      tensor.byteSize > rest.size())
    return failure(MOERT_INVALID_FILE, "saved state: bytes of '", type.name, "' are missing");
  MOERT_TRY(allocate(index));
  if (tensor.byteSize)
    std::memcpy(tensor.data, rest.data(), tensor.byteSize);
  rest = rest.subspan(tensor.byteSize);
  return Status::success();
}

Status State::load(std::span<const std::byte> bytes) {
  MOERT_TRY(checkSaved(bytes));
  SavedHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::span<const std::byte> rest = bytes.subspan(sizeof(header), bytes.size() - sizeof(header) - sizeof(Hash));
  State loaded(artifact, arena);
  for (size_t i = 0; i < tensors.size() && header.isPresent; ++i)
    MOERT_TRY(loaded.loadTensor(i, rest));
  if (!rest.empty())
    return failure(MOERT_INVALID_FILE, "saved state: ", rest.size(), " bytes too many");
  std::swap(tensors, loaded.tensors);
  isPresent = header.isPresent != 0;
  return Status::success();
}

} // namespace moert
