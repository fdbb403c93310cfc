// selp and slct.
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

// Poison of the value that is not chosen does not matter.
template <typename T> void select(Warp &warp, const Instruction &instruction, LaneMask mask, LaneMask choosesFirst) {
  const auto &slots = instruction.slots;
  const LaneMask poison =
      warp.poison(slots[3]) | (warp.poison(slots[1]) & choosesFirst) | (warp.poison(slots[2]) & ~choosesFirst);
  T *destination = warp.lanes<T>(slots[0]);
  const T *a = warp.lanes<T>(slots[1]), *b = warp.lanes<T>(slots[2]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = choosesFirst >> lane & 1 ? a[lane] : b[lane]; });
  warp.setPoison(slots[0], mask, poison);
}

template <typename T> void executeByPredicate(Warp &warp, const Instruction &instruction, LaneMask mask) {
  select<T>(warp, instruction, mask, warp.predicate(instruction.slots[3]));
}

// The first value if the third operand is not negative; -0 and subnormal numbers that are flushed count as zero.
template <typename T, typename C> void executeBySign(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const C *third = warp.lanes<C>(instruction.slots[3]);
  LaneMask choosesFirst = 0;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    choosesFirst |= LaneMask(third[lane] >= (instruction.immediate ? C(-0x1p-126 + 0x1p-149) : C(0))) << lane;
  select<T>(warp, instruction, mask, choosesFirst);
}

template <typename Visitor> Handler visitWidth(Type type, Visitor visitor) {
  return getBytes(type) == 2   ? visitor(Tag<uint16_t>())
         : getBytes(type) == 4 ? visitor(Tag<uint32_t>())
                               : visitor(Tag<uint64_t>());
}

constexpr bool isSelectable(Type type) { return isArithmetic(type) || isWideBits(type) || isFloat(type); }

Status takeOperands(Decoder &decoder, Type type, Type third) {
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(third);
}

Status decodeByPredicate(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, isSelectable));
  decoder.get().execute = visitWidth(type, []<typename T>(Tag<T>) -> Handler { return executeByPredicate<T>; });
  return takeOperands(decoder, type, Type::Pred);
}

Status decodeBySign(Decoder &decoder) {
  Type type, third;
  decoder.get().immediate = decoder.accept("ftz");
  MOERT_TRY(decoder.takeType(type, isSelectable));
  MOERT_TRY(decoder.takeType(third, [](Type type) { return type == Type::S32 || type == Type::F32; }));
  if (decoder.get().immediate && third != Type::F32)
    return decoder.refuse("'.ftz' of .s32");
  decoder.get().execute = visitWidth(type, [&]<typename T>(Tag<T>) -> Handler {
    return third == Type::S32 ? executeBySign<T, int32_t> : executeBySign<T, float>;
  });
  return takeOperands(decoder, type, third);
}

constexpr OpcodeRow rows[] = {{"selp", decodeByPredicate}, {"slct", decodeBySign}};

} // namespace

std::span<const OpcodeRow> getSelectOpcodes() { return rows; }

} // namespace moert::emu
