// setp and set.
#include "devices/emu/float_bits.h"
#include "devices/emu/rounding.h"

namespace moert::emu {
namespace {

// Ordered comparisons are false if an operand is NaN, unordered ones (`equ` and the like) true.
template <typename T> struct Equal {
  static bool apply(T a, T b) { return a == b; }
};
template <typename T> struct NotEqual {
  static bool apply(T a, T b) { return a < b || a > b; }
};
template <typename T> struct Less {
  static bool apply(T a, T b) { return a < b; }
};
template <typename T> struct LessOrEqual {
  static bool apply(T a, T b) { return a <= b; }
};
template <typename T> struct Greater {
  static bool apply(T a, T b) { return a > b; }
};
template <typename T> struct GreaterOrEqual {
  static bool apply(T a, T b) { return a >= b; }
};
template <typename T> struct Ordered {
  static bool apply(T a, T b) { return a == a && b == b; }
};

// How the operands lie in registers.
template <typename T> struct Plain {
  using Number = T;
  using Stored = T;
  static T read(T stored) { return stored; }
};
struct FlushedF32 {
  using Number = float;
  using Stored = float;
  static float read(float stored) { return flush(stored); }
};
struct F16 {
  using Number = float;
  using Stored = uint16_t;
  static float read(uint16_t stored) { return fromF16(stored); }
};
struct Bf16 {
  using Number = float;
  using Stored = uint16_t;
  static float read(uint16_t stored) { return fromBf16(stored); }
};
// One half of a pair.
template <typename Half, uint32_t Shift> struct HalfOfPair {
  using Number = float;
  using Stored = uint32_t;
  static float read(uint32_t stored) { return Half::read(static_cast<uint16_t>(stored >> Shift)); }
};

// `Negates`: the comparison is the opposite of `Op`.
using Comparison = LaneMask (*)(Warp &warp, const Instruction &instruction);
template <typename Op, bool Negates, typename Operand> LaneMask compare(Warp &warp, const Instruction &instruction) {
  using Stored = typename Operand::Stored;
  const Stored *a = warp.lanes<Stored>(instruction.slots[2]), *b = warp.lanes<Stored>(instruction.slots[3]);
  LaneMask result = 0;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result |= LaneMask(Op::apply(Operand::read(a[lane]), Operand::read(b[lane])) != Negates) << lane;
  return result;
}

// How the result is combined with a third operand; Nothing if there is none.
enum class Combination : uint8_t { Nothing, And, Or, Xor };
constexpr std::string_view combinationNames[] = {"and", "or", "xor"};

// Slots: the destinations, of which the second is the opposite, the operands, and the predicate to combine with.
// `immediate`: Combination, and whether the predicate is negated.
constexpr int64_t negatedBit = 8;

LaneMask combine(Warp &warp, const Instruction &instruction, LaneMask result) {
  LaneMask other = warp.predicate(instruction.slots[4]);
  if (instruction.immediate & negatedBit)
    other = ~other;
  switch (static_cast<Combination>(instruction.immediate & (negatedBit - 1))) {
  case Combination::And:
    return result & other;
  case Combination::Or:
    return result | other;
  case Combination::Xor:
    return result ^ other;
  case Combination::Nothing:
    break;
  }
  return result;
}

void setPredicate(Warp &warp, Slot slot, LaneMask mask, LaneMask value, LaneMask poison) {
  LaneMask &predicate = warp.predicate(slot);
  predicate = (predicate & ~mask) | (value & mask);
  warp.setPoison(slot, mask, poison);
}

template <Comparison Compare> void executePredicate(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const LaneMask result = Compare(warp, instruction);
  const LaneMask poison = warp.poison(instruction.slots[2]) | warp.poison(instruction.slots[3]);
  setPredicate(warp, instruction.slots[0], mask, result, poison);
}

template <Comparison Compare> void executeCombined(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const LaneMask result = Compare(warp, instruction);
  const LaneMask poison = warp.poison(slots[2]) | warp.poison(slots[3]) | warp.poison(slots[4]);
  const LaneMask first = combine(warp, instruction, result), second = combine(warp, instruction, ~result);
  setPredicate(warp, slots[1], mask, second, poison);
  setPredicate(warp, slots[0], mask, first, poison);
}

// Of pairs: one predicate for each half.
template <Comparison Low, Comparison High> void executePair(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const LaneMask low = Low(warp, instruction), high = High(warp, instruction);
  const LaneMask poison = warp.poison(slots[2]) | warp.poison(slots[3]) | warp.poison(slots[4]);
  const LaneMask first = combine(warp, instruction, low), second = combine(warp, instruction, high);
  setPredicate(warp, slots[1], mask, second, poison);
  setPredicate(warp, slots[0], mask, first, poison);
}

// `width` is 1 for a result of f32: 1.0 instead of all ones.
template <Comparison Compare> void executeSet(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const LaneMask result = combine(warp, instruction, Compare(warp, instruction));
  const uint32_t isTrue = instruction.width == 1 ? std::bit_cast<uint32_t>(1.0f) : ~0u;
  uint32_t *destination = warp.lanes<uint32_t>(slots[0]);
  const LaneMask poison = warp.poison(slots[2]) | warp.poison(slots[3]) | warp.poison(slots[4]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = result >> lane & 1 ? isTrue : 0; });
  warp.setPoison(slots[0], mask, poison);
}

enum class Form { Predicate, Combined, Set };

// `IsPair`: Operand is a format of which two lie in a register.
template <typename Op, bool Negates, typename Operand, bool IsPair> Handler selectForm(Form form) {
  if constexpr (IsPair) {
    return executePair<compare<Op, Negates, HalfOfPair<Operand, 0>>, compare<Op, Negates, HalfOfPair<Operand, 16>>>;
  } else {
    constexpr Comparison function = compare<Op, Negates, Operand>;
    return form == Form::Predicate  ? executePredicate<function>
           : form == Form::Combined ? executeCombined<function>
                                    : executeSet<function>;
  }
}

template <typename Operand, bool IsPair = false> Handler selectComparison(std::string_view name, Form form) {
  using T = typename Operand::Number;
  struct Row {
    std::string_view name;
    Handler (*select)(Form form);
  };
  static constexpr Row common[] = {
      {"eq", selectForm<Equal<T>, false, Operand, IsPair>},
      {"ne", selectForm<NotEqual<T>, false, Operand, IsPair>},
      {"lt", selectForm<Less<T>, false, Operand, IsPair>},
      {"le", selectForm<LessOrEqual<T>, false, Operand, IsPair>},
      {"gt", selectForm<Greater<T>, false, Operand, IsPair>},
      {"ge", selectForm<GreaterOrEqual<T>, false, Operand, IsPair>},
  };
  for (const Row &row : common)
    if (row.name == name)
      return row.select(form);
  if constexpr (std::is_floating_point_v<T>) {
    static constexpr Row ofFloats[] = {
        {"equ", selectForm<NotEqual<T>, true, Operand, IsPair>},
        {"neu", selectForm<Equal<T>, true, Operand, IsPair>},
        {"ltu", selectForm<GreaterOrEqual<T>, true, Operand, IsPair>},
        {"leu", selectForm<Greater<T>, true, Operand, IsPair>},
        {"gtu", selectForm<LessOrEqual<T>, true, Operand, IsPair>},
        {"geu", selectForm<Less<T>, true, Operand, IsPair>},
        {"num", selectForm<Ordered<T>, false, Operand, IsPair>},
        {"nan", selectForm<Ordered<T>, true, Operand, IsPair>},
    };
    for (const Row &row : ofFloats)
      if (row.name == name)
        return row.select(form);
  } else if constexpr (std::is_unsigned_v<T>) {
    static constexpr Row ofUnsigned[] = {
        {"lo", selectForm<Less<T>, false, Operand, IsPair>},
        {"ls", selectForm<LessOrEqual<T>, false, Operand, IsPair>},
        {"hi", selectForm<Greater<T>, false, Operand, IsPair>},
        {"hs", selectForm<GreaterOrEqual<T>, false, Operand, IsPair>},
    };
    for (const Row &row : ofUnsigned)
      if (row.name == name)
        return row.select(form);
  }
  return nullptr;
}

Handler selectComparison(std::string_view name, Type type, bool flushes, Form form) {
  switch (type) {
  case Type::F32:
    return flushes ? selectComparison<FlushedF32>(name, form) : selectComparison<Plain<float>>(name, form);
  case Type::F64:
    return selectComparison<Plain<double>>(name, form);
  case Type::F16:
    return selectComparison<F16>(name, form);
  case Type::BF16:
    return selectComparison<Bf16>(name, form);
  case Type::F16x2:
    return selectComparison<F16, true>(name, form);
  case Type::BF16x2:
    return selectComparison<Bf16, true>(name, form);
  default:
    return visitWideInteger(isBits(type) ? getUnsigned(type) : type,
                            [&]<typename T>(Tag<T>) { return selectComparison<Plain<T>>(name, form); });
  }
}

constexpr bool isComparable(Type type) { return isWideInteger(type) || isWideBits(type) || isFloat(type); }

// What setp and set have in common: `.cmp{.bool}{.ftz}`.
struct ComparisonModifiers {
  std::string_view comparison;
  Combination combination;
  bool flushes;
};

ComparisonModifiers takeComparison(Decoder &decoder) {
  const auto &modifiers = decoder.getSyntax().modifiers;
  ComparisonModifiers result = {};
  result.comparison = modifiers.empty() ? std::string_view() : modifiers[0];
  decoder.accept(result.comparison);
  result.combination = static_cast<Combination>(decoder.acceptAny(combinationNames) + 1);
  result.flushes = decoder.accept("ftz");
  return result;
}

// The operands that are compared, and the predicate if there is one to combine with.
Status finishComparison(Decoder &decoder, const ComparisonModifiers &modifiers, Type type, Form form) {
  Instruction &instruction = decoder.get();
  instruction.execute = selectComparison(modifiers.comparison, type, modifiers.flushes, form);
  if (!instruction.execute || (isBits(type) && modifiers.comparison != "eq" && modifiers.comparison != "ne"))
    return decoder.refuse("comparison '.", modifiers.comparison, "' of .", getName(type), " is not known");
  if (modifiers.flushes && type != Type::F32)
    return decoder.refuse("'.ftz' of .", getName(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(type));
  instruction.immediate = static_cast<int64_t>(modifiers.combination);
  if (modifiers.combination == Combination::Nothing) {
    decoder.addSlot(decoder.getNames().getConstant(0, 0));
    return Status::success();
  }
  bool isNegated;
  MOERT_TRY(decoder.takePredicate(isNegated));
  instruction.immediate |= isNegated ? negatedBit : 0;
  return Status::success();
}

Status decodePredicate(Decoder &decoder) {
  const ComparisonModifiers modifiers = takeComparison(decoder);
  Type type;
  bool hasSecond;
  MOERT_TRY(decoder.takeType(type, isComparable));
  MOERT_TRY(decoder.takeDestinationPair(Type::Pred, hasSecond));
  const bool isPlain = !hasSecond && modifiers.combination == Combination::Nothing;
  return finishComparison(decoder, modifiers, type, isPlain ? Form::Predicate : Form::Combined);
}

Status decodeSet(Decoder &decoder) {
  const ComparisonModifiers modifiers = takeComparison(decoder);
  Type to, type;
  MOERT_TRY(
      decoder.takeType(to, [](Type type) { return type == Type::U32 || type == Type::S32 || type == Type::F32; }));
  MOERT_TRY(decoder.takeType(type, [](Type type) { return isComparable(type) && !isHalfPair(type); }));
  decoder.get().width = to == Type::F32 ? 1 : 0;
  MOERT_TRY(decoder.takeDestination(to));
  decoder.addSlot(decoder.getNames().getPool().getSink());
  return finishComparison(decoder, modifiers, type, Form::Set);
}

constexpr OpcodeRow rows[] = {{"setp", decodePredicate}, {"set", decodeSet}};

} // namespace

std::span<const OpcodeRow> getCompareOpcodes() { return rows; }

} // namespace moert::emu
