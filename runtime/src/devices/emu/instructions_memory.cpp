// ld and st of every space, scalar and vector. Semantics as documented; not validated on hardware.
#include "devices/emu/block.h"
#include "devices/emu/lanewise.h"

#include <algorithm>

namespace moert::emu {
namespace {

// `T` is the type in memory, `R` that of the register, which is as wide or wider.
template <Space In, typename T, typename R>
void executeLoad(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const uint32_t width = instruction.width;
  const AddressOperand &operand = instruction.addresses[0];
  if (!warp.checkDefined(instruction, mask, operand.base, "address"))
    return;
  LaneMask poison[4] = {};
  T values[4][warpSize];
  for (LaneMask rest = mask; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = warp.getAddress(operand, lane);
    Region *region = warp.access(In, lane, address, sizeof(T) * width, sizeof(T) * width, instruction);
    if (!region)
      return;
    const std::byte *bytes = region->data(address);
    const uint8_t *poisonBytes = region->poisonOf(address);
    for (uint32_t i = 0; i < width; ++i) {
      Unsigned<sizeof(T)> anyPoison;
      std::memcpy(&values[i][lane], bytes + i * sizeof(T), sizeof(T));
      std::memcpy(&anyPoison, poisonBytes + i * sizeof(T), sizeof(T));
      poison[i] |= LaneMask(anyPoison != 0) << lane;
    }
  }
  for (uint32_t i = 0; i < width; ++i) {
    R *destination = warp.lanes<R>(instruction.slots[i]);
    forEachLane(mask, [&](uint32_t lane) { destination[lane] = static_cast<R>(values[i][lane]); });
    warp.setPoison(instruction.slots[i], mask, poison[i]);
  }
}

template <Space In, typename T, typename R>
void executeStore(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const uint32_t width = instruction.width;
  const AddressOperand &operand = instruction.addresses[0];
  if (!warp.checkDefined(instruction, mask, operand.base, "address"))
    return;
  for (uint32_t i = 0; i < width; ++i)
    if (!warp.checkDefined(instruction, mask, instruction.slots[i], "stored value"))
      return;
  for (LaneMask rest = mask; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = warp.getAddress(operand, lane);
    Region *region = warp.access(In, lane, address, sizeof(T) * width, sizeof(T) * width, instruction);
    if (!region)
      return;
    if (region->isReadOnly())
      return warp.fail(instruction, lane, "store of ", sizeof(T) * width, " bytes to memory that can only be read");
    for (uint32_t i = 0; i < width; ++i) {
      const T value = static_cast<T>(warp.lanes<R>(instruction.slots[i])[lane]);
      std::memcpy(region->data(address) + i * sizeof(T), &value, sizeof(T));
    }
    region->define(address, sizeof(T) * width);
  }
}

template <typename T> void executeLoadParameter(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const std::byte *bytes = warp.getBlock().getParameters().data() + instruction.immediate;
  for (uint32_t i = 0; i < instruction.width; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    forEachLane(mask, [&](uint32_t lane) { warp.lanes<T>(instruction.slots[i])[lane] = value; });
    warp.setPoison(instruction.slots[i], mask, 0);
  }
}

template <bool Loads, Space In, typename T, typename R> Handler selectWidened() {
  if constexpr (sizeof(R) < sizeof(T))
    return nullptr;
  else if constexpr (Loads)
    return executeLoad<In, T, R>;
  else
    return executeStore<In, T, R>;
}

// A signed type fills a wider register with its sign.
template <bool Loads, Space In> Handler selectAccess(Type type, uint32_t registerBytes) {
  return visitInteger(type, [&]<typename T>(Tag<T>) -> Handler {
    using To16 = std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>;
    using To32 = std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>;
    using To64 = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return registerBytes == 2   ? selectWidened<Loads, In, T, To16>()
           : registerBytes == 4 ? selectWidened<Loads, In, T, To32>()
                                : selectWidened<Loads, In, T, To64>();
  });
}

template <bool Loads> Handler selectAccess(Space space, Type type, uint32_t registerBytes) {
  switch (space) {
  case Space::Generic:
    return selectAccess<Loads, Space::Generic>(type, registerBytes);
  case Space::Global:
    return selectAccess<Loads, Space::Global>(type, registerBytes);
  case Space::Shared:
    return selectAccess<Loads, Space::Shared>(type, registerBytes);
  case Space::Local:
    return selectAccess<Loads, Space::Local>(type, registerBytes);
  }
  return nullptr;
}

Space takeSpace(Decoder &decoder) {
  return decoder.accept("global")   ? Space::Global
         : decoder.accept("shared") ? Space::Shared
         : decoder.accept("local")  ? Space::Local
                                    : Space::Generic;
}

// What moves as bits of the same size.
Type getBitsOf(Type type) {
  if (!isFloat(type))
    return type;
  return getBytes(type) == 2 ? Type::B16 : getBytes(type) == 4 ? Type::B32 : Type::B64;
}

Status takeWidthAndType(Decoder &decoder, uint32_t &width, Type &type) {
  width = decoder.accept("v2") ? 2 : decoder.accept("v4") ? 4 : 1;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type != Type::Pred; }));
  if (width * getBytes(type) > 16)
    return decoder.refuse("more than 16 bytes at once");
  decoder.get().width = static_cast<uint8_t>(width);
  return Status::success();
}

// The elements: one register, or a vector whose registers are as wide as the type.
Status takeElements(Decoder &decoder, uint32_t width, Type type, bool isDestination, uint32_t &registerBytes) {
  if (width > 1) {
    registerBytes = std::max(getBytes(type), 2u);
    return decoder.takeVector(getBytes(type) == 1 ? Type::B16 : type, width, isDestination);
  }
  return isDestination ? decoder.takeWideDestination(type, registerBytes) : decoder.takeWideSource(type, registerBytes);
}

Status decodeLoadParameter(Decoder &decoder) {
  uint32_t width, registerBytes;
  Type type;
  MOERT_TRY(takeWidthAndType(decoder, width, type));
  MOERT_TRY(takeElements(decoder, width, type, true, registerBytes));
  if (registerBytes != getBytes(type))
    return decoder.refuse("parameter of another size than its register");
  MOERT_TRY(decoder.takeParameter(width * getBytes(type)));
  decoder.get().execute = registerBytes == 2   ? executeLoadParameter<uint16_t>
                          : registerBytes == 4 ? executeLoadParameter<uint32_t>
                                               : executeLoadParameter<uint64_t>;
  return Status::success();
}

Status decodeLoad(Decoder &decoder) {
  if (decoder.accept("param"))
    return decodeLoadParameter(decoder);
  decoder.accept("volatile");
  const Space space = takeSpace(decoder);
  if (space == Space::Global)
    decoder.accept("nc");
  uint32_t width, registerBytes;
  Type type;
  MOERT_TRY(takeWidthAndType(decoder, width, type));
  MOERT_TRY(takeElements(decoder, width, type, true, registerBytes));
  decoder.get().execute = selectAccess<true>(space, getBitsOf(type), registerBytes);
  return decoder.takeAddress();
}

Status decodeStore(Decoder &decoder) {
  decoder.accept("volatile");
  const Space space = takeSpace(decoder);
  uint32_t width, registerBytes;
  Type type;
  MOERT_TRY(takeWidthAndType(decoder, width, type));
  MOERT_TRY(decoder.takeAddress());
  MOERT_TRY(takeElements(decoder, width, type, false, registerBytes));
  decoder.get().execute = selectAccess<false>(space, getBitsOf(type), std::max(registerBytes, 2u));
  return Status::success();
}

constexpr OpcodeRow rows[] = {{"ld", decodeLoad}, {"st", decodeStore}};

} // namespace

std::span<const OpcodeRow> getMemoryOpcodes() { return rows; }

} // namespace moert::emu
