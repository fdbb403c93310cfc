// ld and st of every space, scalar and vector, and prefetch.
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
  // Local memory belongs to its lane as registers do, so poison may be kept there.
  if (In == Space::Global || In == Space::Shared)
    for (uint32_t i = 0; i < width; ++i)
      if (!warp.checkDefined(instruction, mask, instruction.slots[i], "stored value"))
        return;
  for (LaneMask rest = mask; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = warp.getAddress(operand, lane);
    const bool isLocal = In == Space::Local || (In == Space::Generic && address >= localWindow);
    Region *region = warp.access(In, lane, address, sizeof(T) * width, sizeof(T) * width, instruction);
    if (!region)
      return;
    if (region->isReadOnly())
      return warp.fail(instruction, lane, "store of ", sizeof(T) * width, " bytes to memory that can only be read");
    for (uint32_t i = 0; i < width; ++i) {
      const T value = static_cast<T>(warp.lanes<R>(instruction.slots[i])[lane]);
      std::memcpy(region->data(address) + i * sizeof(T), &value, sizeof(T));
      if (!(warp.poison(instruction.slots[i]) >> lane & 1))
        region->define(address + i * sizeof(T), sizeof(T));
      else if (isLocal)
        region->undefine(address + i * sizeof(T), sizeof(T));
      else
        return (void)warp.checkDefined(instruction, LaneMask(1) << lane, instruction.slots[i], "stored value");
    }
  }
}

template <typename T, typename R> void executeLoadParameter(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const std::byte *bytes = warp.getBlock().getParameters().data() + instruction.immediate;
  for (uint32_t i = 0; i < instruction.width; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    forEachLane(mask, [&](uint32_t lane) { warp.lanes<R>(instruction.slots[i])[lane] = static_cast<R>(value); });
    warp.setPoison(instruction.slots[i], mask, 0);
  }
}

enum class Access { Load, Store, LoadParameter };

template <Access How, Space In, typename T, typename R> Handler selectWidened() {
  if constexpr (sizeof(R) < sizeof(T))
    return nullptr;
  else if constexpr (How == Access::LoadParameter)
    return executeLoadParameter<T, R>;
  else if constexpr (How == Access::Load)
    return executeLoad<In, T, R>;
  else
    return executeStore<In, T, R>;
}

// A signed type fills a wider register with its sign.
template <Access How, Space In> Handler selectAccess(Type type, uint32_t registerBytes) {
  return visitInteger(type, [&]<typename T>(Tag<T>) -> Handler {
    using To16 = std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>;
    using To32 = std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>;
    using To64 = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return registerBytes == 2   ? selectWidened<How, In, T, To16>()
           : registerBytes == 4 ? selectWidened<How, In, T, To32>()
                                : selectWidened<How, In, T, To64>();
  });
}

template <Access How> Handler selectAccess(Space space, Type type, uint32_t registerBytes) {
  switch (space) {
  case Space::Generic:
    return selectAccess<How, Space::Generic>(type, registerBytes);
  case Space::Global:
    return selectAccess<How, Space::Global>(type, registerBytes);
  case Space::Shared:
    return selectAccess<How, Space::Shared>(type, registerBytes);
  case Space::Local:
    return selectAccess<How, Space::Local>(type, registerBytes);
  }
  return nullptr;
}

// What moves as bits of the same size.
Type getBitsOf(Type type) {
  if (!isFloat(type))
    return type;
  return getBytes(type) == 2 ? Type::B16 : getBytes(type) == 4 ? Type::B32 : Type::B64;
}

constexpr std::string_view loadPolicies[] = {"ca", "cg", "cs", "lu", "cv"};
constexpr std::string_view storePolicies[] = {"wb", "cg", "cs", "wt"};
constexpr std::string_view scopes[] = {"cta", "gpu", "sys"};
constexpr std::string_view evictions[] = {"L1::evict_normal", "L1::evict_unchanged", "L1::evict_first",
                                          "L1::evict_last", "L1::no_allocate"};
constexpr std::string_view prefetches[] = {"L2::64B", "L2::128B", "L2::256B"};

// `.weak`, or an order with its scope. Every access here is strong: it takes place at once.
Status takeOrder(Decoder &decoder, std::string_view synchronizing) {
  if (decoder.accept("volatile") || decoder.accept("weak"))
    return Status::success();
  if (!decoder.accept("relaxed") && !decoder.accept(synchronizing))
    return Status::success();
  return decoder.acceptAny(scopes) >= 0 ? Status::success() : decoder.refuse("expected '.cta', '.gpu' or '.sys'");
}

enum class NamedSpace { Generic, Global, Const, Shared, Local, Parameter };

NamedSpace takeSpace(Decoder &decoder) {
  if (decoder.accept("global"))
    return NamedSpace::Global;
  if (decoder.accept("shared") || decoder.accept("shared::cta"))
    return NamedSpace::Shared;
  if (decoder.accept("local"))
    return NamedSpace::Local;
  if (decoder.accept("const"))
    return NamedSpace::Const;
  return decoder.accept("param") ? NamedSpace::Parameter : NamedSpace::Generic;
}

// Constants lie in global memory, the parameters of calls in local memory.
Space getSpace(NamedSpace space) {
  switch (space) {
  case NamedSpace::Generic:
    return Space::Generic;
  case NamedSpace::Global:
  case NamedSpace::Const:
    return Space::Global;
  case NamedSpace::Shared:
    return Space::Shared;
  case NamedSpace::Local:
  case NamedSpace::Parameter:
    break;
  }
  return Space::Local;
}

// Hints for caches, which change no result.
void skipHints(Decoder &decoder, std::span<const std::string_view> policies) {
  decoder.acceptAny(policies);
  decoder.acceptAny(evictions);
  decoder.acceptAny(prefetches);
}

// The elements, which lie in registers of one size that may be wider than the type.
struct Elements {
  uint32_t width = 1, registerBytes = 0;
  Type type;
};

Status takeWidthAndType(Decoder &decoder, Elements &elements) {
  elements.width = decoder.accept("v2") ? 2 : decoder.accept("v4") ? 4 : 1;
  MOERT_TRY(decoder.takeType(elements.type, [](Type type) { return type != Type::Pred; }));
  if (elements.width * getBytes(elements.type) > 16)
    return decoder.refuse("more than 16 bytes at once");
  decoder.get().width = static_cast<uint8_t>(elements.width);
  return Status::success();
}

Status takeElements(Decoder &decoder, Elements &elements, bool isDestination) {
  if (elements.width > 1)
    MOERT_TRY(decoder.takeWideVector(elements.type, elements.width, isDestination, elements.registerBytes));
  else
    MOERT_TRY(isDestination ? decoder.takeWideDestination(elements.type, elements.registerBytes)
                            : decoder.takeWideSource(elements.type, elements.registerBytes));
  elements.registerBytes = std::max(elements.registerBytes, 2u);
  return Status::success();
}

Status decodeLoad(Decoder &decoder) {
  Elements elements;
  MOERT_TRY(takeOrder(decoder, "acquire"));
  const NamedSpace space = takeSpace(decoder);
  if (space == NamedSpace::Global)
    decoder.accept("nc");
  skipHints(decoder, loadPolicies);
  MOERT_TRY(takeWidthAndType(decoder, elements));
  MOERT_TRY(takeElements(decoder, elements, true));
  const Type type = getBitsOf(elements.type);
  if (space == NamedSpace::Parameter && decoder.isKernelParameter()) {
    decoder.get().execute = selectAccess<Access::LoadParameter, Space::Local>(type, elements.registerBytes);
    return decoder.takeParameter(elements.width * getBytes(type));
  }
  if (space == NamedSpace::Parameter && !decoder.isCallParameter())
    return decoder.refuse("expected the address of a parameter by name");
  decoder.get().execute = selectAccess<Access::Load>(getSpace(space), type, elements.registerBytes);
  return decoder.takeAddress();
}

Status decodeStore(Decoder &decoder) {
  Elements elements;
  MOERT_TRY(takeOrder(decoder, "release"));
  const NamedSpace space = takeSpace(decoder);
  if (space == NamedSpace::Const)
    return decoder.refuse("constants cannot be stored to");
  skipHints(decoder, storePolicies);
  MOERT_TRY(takeWidthAndType(decoder, elements));
  if (space == NamedSpace::Parameter && !decoder.isCallParameter())
    return decoder.refuse("expected the address of a parameter by name");
  MOERT_TRY(decoder.takeAddress());
  MOERT_TRY(takeElements(decoder, elements, false));
  decoder.get().execute =
      selectAccess<Access::Store>(getSpace(space), getBitsOf(elements.type), elements.registerBytes);
  return Status::success();
}

// A prefetch changes nothing that can be seen.
void executeNothing(Warp &, const Instruction &, LaneMask) {}

Status decodePrefetch(Decoder &decoder) {
  if (!decoder.accept("global"))
    decoder.accept("local");
  constexpr std::string_view levels[] = {"L1", "L2", "L2::evict_last", "L2::evict_normal"};
  if (decoder.acceptAny(levels) < 0)
    return decoder.refuse("expected '.L1' or '.L2'");
  decoder.get().execute = executeNothing;
  return decoder.takeAddress();
}

constexpr OpcodeRow rows[] = {
    {"ld", decodeLoad}, {"ldu", decodeLoad}, {"st", decodeStore}, {"prefetch", decodePrefetch}};

} // namespace

std::span<const OpcodeRow> getMemoryOpcodes() { return rows; }

} // namespace moert::emu
