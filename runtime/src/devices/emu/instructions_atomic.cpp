// atom and red. Lanes take turns in ascending order; each sees what those before it have done.
#include "devices/emu/float_bits.h"
#include "devices/emu/rounding.h"

namespace moert::emu {
namespace {

// `apply(old, b, c)` is the new value.
template <typename T> struct Add {
  static T apply(T old, T b, T) { return static_cast<T>(old + b); }
};
template <typename T> struct AddFlushed {
  static T apply(T old, T b, T) { return flush(flush(old) + flush(b)); }
};
struct AddF16 {
  static uint16_t apply(uint16_t old, uint16_t b, uint16_t) { return roundToF16(addToOdd(fromF16(old), fromF16(b))); }
};
struct AddF16Pair {
  static uint32_t apply(uint32_t old, uint32_t b, uint32_t) {
    const auto half = [&](uint32_t shift) {
      return AddF16::apply(static_cast<uint16_t>(old >> shift), static_cast<uint16_t>(b >> shift), 0);
    };
    return half(0) | uint32_t(half(16)) << 16;
  }
};
template <typename T> struct Minimum {
  static T apply(T old, T b, T) { return b < old ? b : old; }
};
template <typename T> struct Maximum {
  static T apply(T old, T b, T) { return b > old ? b : old; }
};
template <typename T> struct And {
  static T apply(T old, T b, T) { return old & b; }
};
template <typename T> struct Or {
  static T apply(T old, T b, T) { return old | b; }
};
template <typename T> struct Xor {
  static T apply(T old, T b, T) { return old ^ b; }
};
template <typename T> struct Exchange {
  static T apply(T, T b, T) { return b; }
};
template <typename T> struct CompareAndSwap {
  static T apply(T old, T b, T c) { return old == b ? c : old; }
};
// Up to b, then from 0 on; down to 0, then from b on.
struct Increment {
  static uint32_t apply(uint32_t old, uint32_t b, uint32_t) { return old >= b ? 0 : old + 1; }
};
struct Decrement {
  static uint32_t apply(uint32_t old, uint32_t b, uint32_t) { return old == 0 || old > b ? b : old - 1; }
};

template <typename Op> constexpr bool needsOld = true;
template <typename T> constexpr bool needsOld<Exchange<T>> = false;

// `width` is the Space. Slots: the destination and the operands.
template <typename Op, typename T> void executeAtomic(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const AddressOperand &operand = instruction.addresses[0];
  if (!warp.checkDefined(instruction, mask, operand.base, "address") ||
      !warp.checkDefined(instruction, mask, slots[1], "operand") ||
      !warp.checkDefined(instruction, mask, slots[2], "operand"))
    return;
  LaneMask poison = 0;
  T before[warpSize];
  for (LaneMask rest = mask; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = warp.getAddress(operand, lane);
    Region *region =
        warp.access(static_cast<Space>(instruction.width), lane, address, sizeof(T), sizeof(T), instruction);
    if (!region)
      return;
    if (region->isReadOnly())
      return warp.fail(instruction, lane, "atomic access to memory that can only be read");
    const bool isPoison = region->hasPoison(address, sizeof(T));
    if (isPoison && needsOld<Op>)
      return warp.fail(instruction, lane, "atomic access to bytes that were never written");
    std::memcpy(&before[lane], region->data(address), sizeof(T));
    const T after = Op::apply(before[lane], warp.lanes<T>(slots[1])[lane], warp.lanes<T>(slots[2])[lane]);
    std::memcpy(region->data(address), &after, sizeof(T));
    region->define(address, sizeof(T));
    poison |= LaneMask(isPoison) << lane;
  }
  T *destination = warp.lanes<T>(slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = before[lane]; });
  warp.setPoison(slots[0], mask, poison);
}

struct AtomicRow {
  std::string_view operation;
  Type type;
  Handler execute;
};

template <typename Op, typename T> constexpr Handler atomic = executeAtomic<Op, T>;

constexpr AtomicRow operations[] = {
    {"add", Type::U32, atomic<Add<uint32_t>, uint32_t>},
    {"add", Type::S32, atomic<Add<uint32_t>, uint32_t>},
    {"add", Type::U64, atomic<Add<uint64_t>, uint64_t>},
    {"add", Type::F32, atomic<Add<float>, float>},
    {"add", Type::F64, atomic<Add<double>, double>},
    {"add", Type::F16, atomic<AddF16, uint16_t>},
    {"add", Type::F16x2, atomic<AddF16Pair, uint32_t>},
    {"min", Type::U32, atomic<Minimum<uint32_t>, uint32_t>},
    {"min", Type::S32, atomic<Minimum<int32_t>, int32_t>},
    {"min", Type::U64, atomic<Minimum<uint64_t>, uint64_t>},
    {"min", Type::S64, atomic<Minimum<int64_t>, int64_t>},
    {"max", Type::U32, atomic<Maximum<uint32_t>, uint32_t>},
    {"max", Type::S32, atomic<Maximum<int32_t>, int32_t>},
    {"max", Type::U64, atomic<Maximum<uint64_t>, uint64_t>},
    {"max", Type::S64, atomic<Maximum<int64_t>, int64_t>},
    {"and", Type::B32, atomic<And<uint32_t>, uint32_t>},
    {"and", Type::B64, atomic<And<uint64_t>, uint64_t>},
    {"or", Type::B32, atomic<Or<uint32_t>, uint32_t>},
    {"or", Type::B64, atomic<Or<uint64_t>, uint64_t>},
    {"xor", Type::B32, atomic<Xor<uint32_t>, uint32_t>},
    {"xor", Type::B64, atomic<Xor<uint64_t>, uint64_t>},
    {"inc", Type::U32, atomic<Increment, uint32_t>},
    {"dec", Type::U32, atomic<Decrement, uint32_t>},
    {"exch", Type::B32, atomic<Exchange<uint32_t>, uint32_t>},
    {"exch", Type::B64, atomic<Exchange<uint64_t>, uint64_t>},
    {"cas", Type::B16, atomic<CompareAndSwap<uint16_t>, uint16_t>},
    {"cas", Type::B32, atomic<CompareAndSwap<uint32_t>, uint32_t>},
    {"cas", Type::B64, atomic<CompareAndSwap<uint64_t>, uint64_t>},
};

constexpr std::string_view orders[] = {"relaxed", "acquire", "release", "acq_rel"};
constexpr std::string_view scopes[] = {"cta", "gpu", "sys"};
constexpr std::string_view operationNames[] = {"add", "min", "max", "and", "or", "xor", "inc", "dec", "exch", "cas"};

// Sums of f16 must say that subnormal numbers are kept; sums of f32 keep them in shared memory only.
Status selectOperation(Decoder &decoder, std::string_view operation, Space space) {
  Type type;
  const bool keepsSubnormals = decoder.accept("noftz");
  MOERT_TRY(decoder.takeType(type, [](Type type) { return getBytes(type) > 1; }));
  if (keepsSubnormals != isHalf(type))
    return decoder.refuse(isHalf(type) ? "expected '.noftz'" : "'.noftz' is not known here");
  for (const AtomicRow &row : operations)
    if (row.operation == operation && row.type == type)
      decoder.get().execute = row.execute;
  if (!decoder.get().execute)
    return decoder.refuse("'.", operation, "' of .", getName(type), " is not known");
  if (type == Type::F32 && space != Space::Shared)
    decoder.get().execute = executeAtomic<AddFlushed<float>, float>;
  return decoder.getSyntax().opcode == "red" ? Status::success() : decoder.takeDestination(type);
}

Status decodeAtomic(Decoder &decoder) {
  const bool isReduction = decoder.getSyntax().opcode == "red";
  decoder.acceptAny(orders);
  decoder.acceptAny(scopes);
  const Space space = decoder.accept("global")                                    ? Space::Global
                      : decoder.accept("shared") || decoder.accept("shared::cta") ? Space::Shared
                                                                                  : Space::Generic;
  decoder.get().width = static_cast<uint8_t>(space);
  const int which = decoder.acceptAny(operationNames);
  if (which < 0)
    return decoder.refuse("expected an operation");
  const std::string_view operation = operationNames[which];
  if (isReduction && (operation == "exch" || operation == "cas"))
    return decoder.refuse("'.", operation, "' without a result");
  if (isReduction)
    decoder.addSlot(decoder.getNames().getPool().getSink());
  MOERT_TRY(selectOperation(decoder, operation, space));
  MOERT_TRY(decoder.takeAddress());
  Type type;
  parseType(decoder.getSyntax().modifiers.back(), type);
  MOERT_TRY(decoder.takeSource(type));
  if (operation == "cas")
    return decoder.takeSource(type);
  decoder.addSlot(decoder.get().slots[1]);
  return Status::success();
}

constexpr OpcodeRow rows[] = {{"atom", decodeAtomic}, {"red", decodeAtomic}};

} // namespace

std::span<const OpcodeRow> getAtomicOpcodes() { return rows; }

} // namespace moert::emu
