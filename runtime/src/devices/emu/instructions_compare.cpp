// setp and selp. Semantics as documented; not validated on hardware.
#include "devices/emu/lanewise.h"

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

// `Negates`: the comparison is the opposite of `Op`.
template <typename Op, bool Negates, typename T>
void executeCompare(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const T *a = warp.lanes<T>(instruction.slots[1]), *b = warp.lanes<T>(instruction.slots[2]);
  LaneMask result = 0;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result |= LaneMask(Op::apply(a[lane], b[lane]) != Negates) << lane;
  const Slot destination = instruction.slots[0];
  const LaneMask poison = warp.poison(instruction.slots[1]) | warp.poison(instruction.slots[2]);
  LaneMask &predicate = warp.predicate(destination);
  predicate = (predicate & ~mask) | (result & mask);
  warp.setPoison(destination, mask, poison);
}

template <typename T> Handler selectCompare(std::string_view name) {
  struct Row {
    std::string_view name;
    Handler handler;
  };
  static constexpr Row common[] = {
      {"eq", executeCompare<Equal<T>, false, T>},   {"ne", executeCompare<NotEqual<T>, false, T>},
      {"lt", executeCompare<Less<T>, false, T>},    {"le", executeCompare<LessOrEqual<T>, false, T>},
      {"gt", executeCompare<Greater<T>, false, T>}, {"ge", executeCompare<GreaterOrEqual<T>, false, T>},
  };
  static constexpr Row ofFloats[] = {
      {"equ", executeCompare<NotEqual<T>, true, T>},       {"neu", executeCompare<Equal<T>, true, T>},
      {"ltu", executeCompare<GreaterOrEqual<T>, true, T>}, {"leu", executeCompare<Greater<T>, true, T>},
      {"gtu", executeCompare<LessOrEqual<T>, true, T>},    {"geu", executeCompare<Less<T>, true, T>},
      {"num", executeCompare<Ordered<T>, false, T>},       {"nan", executeCompare<Ordered<T>, true, T>},
  };
  for (const Row &row : common)
    if (row.name == name)
      return row.handler;
  if constexpr (std::is_floating_point_v<T>)
    for (const Row &row : ofFloats)
      if (row.name == name)
        return row.handler;
  return nullptr;
}

Status decodeCompare(Decoder &decoder) {
  const auto &modifiers = decoder.getSyntax().modifiers;
  const std::string_view comparison = modifiers.empty() ? std::string_view() : modifiers[0];
  decoder.accept(comparison);
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return isArithmetic(type) || isWideBits(type); }));
  decoder.get().execute = isFloat(type)
                              ? visitArithmetic(type, [&]<typename T>(Tag<T>) { return selectCompare<T>(comparison); })
                              : visitInteger(type, [&]<typename T>(Tag<T>) { return selectCompare<T>(comparison); });
  if (!decoder.get().execute || (isBits(type) && comparison != "eq" && comparison != "ne"))
    return decoder.refuse("comparison '.", comparison, "' of .", getName(type), " is not known");
  MOERT_TRY(decoder.takeDestination(Type::Pred));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(type);
}

// Poison of the value that is not chosen does not matter.
template <typename T> void executeSelect(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  const LaneMask chooses = warp.predicate(slots[3]);
  const LaneMask poison =
      warp.poison(slots[3]) | (warp.poison(slots[1]) & chooses) | (warp.poison(slots[2]) & ~chooses);
  T *destination = warp.lanes<T>(slots[0]);
  const T *a = warp.lanes<T>(slots[1]), *b = warp.lanes<T>(slots[2]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = chooses >> lane & 1 ? a[lane] : b[lane]; });
  warp.setPoison(slots[0], mask, poison);
}

Status decodeSelect(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return isArithmetic(type) || isWideBits(type); }));
  decoder.get().execute = getBytes(type) == 2   ? executeSelect<uint16_t>
                          : getBytes(type) == 4 ? executeSelect<uint32_t>
                                                : executeSelect<uint64_t>;
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(Type::Pred);
}

constexpr OpcodeRow rows[] = {{"setp", decodeCompare}, {"selp", decodeSelect}};

} // namespace

std::span<const OpcodeRow> getCompareOpcodes() { return rows; }

} // namespace moert::emu
