// What the lanes of a warp do together: shfl.sync, vote.sync, match.sync, redux.sync, bar.warp.sync, activemask.
#include "devices/emu/block.h"
#include "devices/emu/lanewise.h"

#include <algorithm>

namespace moert::emu {
namespace {

// Lanes name in `slot` with whom they act. Fails unless each names itself, and unless all that are named and have not
// ended are here: where lanes go apart, only those of one way are.
bool checkMembers(Warp &warp, const Instruction &instruction, LaneMask mask, Slot slot) {
  if (!warp.checkDefined(instruction, mask, slot, "mask of lanes"))
    return false;
  const uint32_t *members = warp.lanes<uint32_t>(slot);
  for (LaneMask rest = mask; rest; rest &= rest - 1) {
    const auto lane = static_cast<uint32_t>(__builtin_ctz(rest));
    const LaneMask absent = members[lane] & warp.getLive() & ~mask;
    if (!(members[lane] >> lane & 1))
      warp.fail(instruction, lane, "this lane is not in its own mask of lanes");
    else if (absent)
      warp.fail(instruction, static_cast<uint32_t>(__builtin_ctz(absent)), "this lane is in the mask of lane ", lane,
                " and does not take part");
    else
      continue;
    return false;
  }
  return true;
}

enum class Shuffle { Up, Down, Butterfly, Index };
constexpr std::string_view shuffleNames[] = {"up", "down", "bfly", "idx"};

// The lane that is read, and whether it lies inside of the segment; if not, a lane reads itself.
template <Shuffle Mode> bool findSource(uint32_t lane, uint32_t b, uint32_t c, uint32_t &source) {
  const uint32_t offset = b & 31, clamp = c & 31, segment = c >> 8 & 31;
  const uint32_t first = lane & segment, last = first | (clamp & ~segment);
  uint32_t from = 0;
  switch (Mode) {
  case Shuffle::Up:
    from = lane - offset;
    break;
  case Shuffle::Down:
    from = lane + offset;
    break;
  case Shuffle::Butterfly:
    from = lane ^ offset;
    break;
  case Shuffle::Index:
    from = first | (offset & ~segment);
    break;
  }
  const bool isInside = Mode == Shuffle::Up ? static_cast<int32_t>(from) >= static_cast<int32_t>(last) : from <= last;
  source = isInside ? from : lane;
  return isInside;
}

// Slots: the destination, the predicate, the value, b, c and the mask. What a lane that is not there would give is
// poison.
template <Shuffle Mode> void executeShuffle(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  if (!checkMembers(warp, instruction, mask, slots[5]) || !warp.checkDefined(instruction, mask, slots[3], "lane") ||
      !warp.checkDefined(instruction, mask, slots[4], "segment"))
    return;
  const uint32_t *value = warp.lanes<uint32_t>(slots[2]), *b = warp.lanes<uint32_t>(slots[3]),
                 *c = warp.lanes<uint32_t>(slots[4]), *members = warp.lanes<uint32_t>(slots[5]);
  uint32_t result[warpSize];
  LaneMask inside = 0, poison = 0;
  forEachLane(mask, [&](uint32_t lane) {
    uint32_t source;
    inside |= LaneMask(findSource<Mode>(lane, b[lane], c[lane], source)) << lane;
    result[lane] = value[source];
    const bool isThere = members[lane] & mask & LaneMask(1) << source;
    poison |= (warp.poison(slots[2]) >> source & 1 || !isThere ? LaneMask(1) : 0) << lane;
  });
  uint32_t *destination = warp.lanes<uint32_t>(slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = result[lane]; });
  warp.setPoison(slots[0], mask, poison);
  warp.predicate(slots[1]) = (warp.predicate(slots[1]) & ~mask) | inside;
  warp.setPoison(slots[1], mask, 0);
}

Status decodeShuffle(Decoder &decoder) {
  constexpr Handler handlers[] = {executeShuffle<Shuffle::Up>, executeShuffle<Shuffle::Down>,
                                  executeShuffle<Shuffle::Butterfly>, executeShuffle<Shuffle::Index>};
  MOERT_TRY(decoder.takeModifiers({"sync"}));
  const int mode = decoder.acceptAny(shuffleNames);
  if (mode < 0)
    return decoder.refuse("expected '.up', '.down', '.bfly' or '.idx'");
  MOERT_TRY(decoder.takeModifiers({"b32"}));
  decoder.get().execute = handlers[mode];
  bool hasPredicate;
  MOERT_TRY(decoder.takeDestinationPair(Type::B32, hasPredicate));
  for (int i = 0; i < 4; ++i)
    MOERT_TRY(decoder.takeSource(Type::B32));
  return Status::success();
}

// Poison of any value that a lane takes part with.
LaneMask gatherPoison(const uint32_t *members, LaneMask poison, LaneMask mask) {
  LaneMask result = 0;
  forEachLane(mask, [&](uint32_t lane) { result |= LaneMask((members[lane] & mask & poison) != 0) << lane; });
  return result;
}

enum class Vote { All, Any, Uniform, Ballot };
constexpr std::string_view voteNames[] = {"all", "any", "uni", "ballot"};

// Slots: the destination, the predicate and the mask; `immediate`: the predicate is negated.
template <Vote Mode> void executeVote(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  if (!checkMembers(warp, instruction, mask, slots[2]))
    return;
  const LaneMask votes = instruction.immediate ? ~warp.predicate(slots[1]) : warp.predicate(slots[1]);
  const uint32_t *members = warp.lanes<uint32_t>(slots[2]);
  const LaneMask poison = gatherPoison(members, warp.poison(slots[1]), mask);
  LaneMask result = 0;
  forEachLane(mask, [&](uint32_t lane) {
    const LaneMask voters = members[lane] & mask, ayes = voters & votes;
    if constexpr (Mode == Vote::Ballot)
      warp.lanes<uint32_t>(slots[0])[lane] = ayes;
    else
      result |= LaneMask(Mode == Vote::All   ? ayes == voters
                         : Mode == Vote::Any ? ayes != 0
                                             : ayes == 0 || ayes == voters)
                << lane;
  });
  if constexpr (Mode != Vote::Ballot)
    warp.predicate(slots[0]) = (warp.predicate(slots[0]) & ~mask) | result;
  warp.setPoison(slots[0], mask, poison);
}

Status decodeVote(Decoder &decoder) {
  constexpr Handler handlers[] = {executeVote<Vote::All>, executeVote<Vote::Any>, executeVote<Vote::Uniform>,
                                  executeVote<Vote::Ballot>};
  MOERT_TRY(decoder.takeModifiers({"sync"}));
  const int mode = decoder.acceptAny(voteNames);
  if (mode < 0)
    return decoder.refuse("expected '.all', '.any', '.uni' or '.ballot'");
  const bool isBallot = handlers[mode] == executeVote<Vote::Ballot>;
  MOERT_TRY(decoder.takeModifiers({isBallot ? "b32" : "pred"}));
  decoder.get().execute = handlers[mode];
  MOERT_TRY(decoder.takeDestination(isBallot ? Type::B32 : Type::Pred));
  bool isNegated;
  MOERT_TRY(decoder.takePredicate(isNegated));
  decoder.get().immediate = isNegated;
  return decoder.takeSource(Type::B32);
}

// Slots: the destination, the predicate, the value and the mask.
template <typename T, bool IsAll> void executeMatch(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  if (!checkMembers(warp, instruction, mask, slots[3]))
    return;
  const T *values = warp.lanes<T>(slots[2]);
  const uint32_t *members = warp.lanes<uint32_t>(slots[3]);
  const LaneMask poison = gatherPoison(members, warp.poison(slots[2]), mask);
  uint32_t result[warpSize];
  LaneMask agrees = 0;
  forEachLane(mask, [&](uint32_t lane) {
    const LaneMask present = members[lane] & mask;
    LaneMask same = 0;
    forEachLane(present, [&](uint32_t other) { same |= LaneMask(values[other] == values[lane]) << other; });
    agrees |= LaneMask(same == present) << lane;
    result[lane] = IsAll && same != present ? 0 : same;
  });
  uint32_t *destination = warp.lanes<uint32_t>(slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = result[lane]; });
  warp.setPoison(slots[0], mask, poison);
  if constexpr (IsAll) {
    warp.predicate(slots[1]) = (warp.predicate(slots[1]) & ~mask) | agrees;
    warp.setPoison(slots[1], mask, poison);
  }
}

Status decodeMatch(Decoder &decoder) {
  const bool isAll = decoder.accept("all");
  if (!isAll)
    MOERT_TRY(decoder.takeModifiers({"any"}));
  MOERT_TRY(decoder.takeModifiers({"sync"}));
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::B32 || type == Type::B64; }));
  if (type == Type::B32)
    decoder.get().execute = isAll ? executeMatch<uint32_t, true> : executeMatch<uint32_t, false>;
  else
    decoder.get().execute = isAll ? executeMatch<uint64_t, true> : executeMatch<uint64_t, false>;
  bool hasPredicate;
  MOERT_TRY(decoder.takeDestinationPair(Type::B32, hasPredicate));
  if (hasPredicate && !isAll)
    return decoder.refuse("a predicate without '.all'");
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(Type::B32);
}

// Slots: the destination, the value and the mask.
template <typename T, T (*Combine)(T, T)>
void executeReduction(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const auto &slots = instruction.slots;
  if (!checkMembers(warp, instruction, mask, slots[2]))
    return;
  const T *values = warp.lanes<T>(slots[1]);
  const uint32_t *members = warp.lanes<uint32_t>(slots[2]);
  const LaneMask poison = gatherPoison(members, warp.poison(slots[1]), mask);
  T result[warpSize];
  forEachLane(mask, [&](uint32_t lane) {
    const LaneMask present = members[lane] & mask;
    result[lane] = values[lane];
    forEachLane(present & ~(LaneMask(1) << lane),
                [&](uint32_t other) { result[lane] = Combine(result[lane], values[other]); });
  });
  T *destination = warp.lanes<T>(slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = result[lane]; });
  warp.setPoison(slots[0], mask, poison);
}

template <typename T> T add(T a, T b) { return a + b; }
template <typename T> T takeSmaller(T a, T b) { return std::min(a, b); }
template <typename T> T takeLarger(T a, T b) { return std::max(a, b); }
uint32_t takeAnd(uint32_t a, uint32_t b) { return a & b; }
uint32_t takeOr(uint32_t a, uint32_t b) { return a | b; }
uint32_t takeXor(uint32_t a, uint32_t b) { return a ^ b; }

struct ReductionRow {
  std::string_view operation;
  Type type;
  Handler execute;
};
constexpr ReductionRow reductions[] = {
    {"add", Type::U32, executeReduction<uint32_t, add<uint32_t>>},
    {"add", Type::S32, executeReduction<uint32_t, add<uint32_t>>},
    {"min", Type::U32, executeReduction<uint32_t, takeSmaller<uint32_t>>},
    {"min", Type::S32, executeReduction<int32_t, takeSmaller<int32_t>>},
    {"max", Type::U32, executeReduction<uint32_t, takeLarger<uint32_t>>},
    {"max", Type::S32, executeReduction<int32_t, takeLarger<int32_t>>},
    {"and", Type::B32, executeReduction<uint32_t, takeAnd>},
    {"or", Type::B32, executeReduction<uint32_t, takeOr>},
    {"xor", Type::B32, executeReduction<uint32_t, takeXor>},
};

Status decodeReduction(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"sync"}));
  const auto &modifiers = decoder.getSyntax().modifiers;
  const std::string_view operation = modifiers.size() > 1 ? modifiers[1] : std::string_view();
  decoder.accept(operation);
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return getBytes(type) == 4; }));
  for (const ReductionRow &row : reductions)
    if (row.operation == operation && row.type == type)
      decoder.get().execute = row.execute;
  if (!decoder.get().execute)
    return decoder.refuse("'.", operation, "' of .", getName(type), " is not known");
  MOERT_TRY(decoder.takeDestination(type));
  MOERT_TRY(decoder.takeSource(type));
  return decoder.takeSource(Type::B32);
}

void executeWarpBarrier(Warp &warp, const Instruction &instruction, LaneMask mask) {
  checkMembers(warp, instruction, mask, instruction.slots[0]);
  // What the lanes have done until now comes before what they do next.
  if (BlockOrder *order = warp.getBlock().getOrder())
    order->release(warp.getIndex());
}

Status decodeWarpBarrier(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"warp", "sync"}));
  decoder.get().execute = executeWarpBarrier;
  return decoder.takeSource(Type::B32);
}

void executeActiveMask(Warp &warp, const Instruction &instruction, LaneMask mask) {
  uint32_t *destination = warp.lanes<uint32_t>(instruction.slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = mask; });
  warp.setPoison(instruction.slots[0], mask, 0);
}

Status decodeActiveMask(Decoder &decoder) {
  MOERT_TRY(decoder.takeModifiers({"b32"}));
  decoder.get().execute = executeActiveMask;
  return decoder.takeDestination(Type::B32);
}

constexpr OpcodeRow rows[] = {
    {"shfl", decodeShuffle},         {"vote", decodeVote},
    {"match", decodeMatch},          {"redux", decodeReduction},
    {"bar.warp", decodeWarpBarrier}, {"activemask", decodeActiveMask},
};

} // namespace

std::span<const OpcodeRow> getWarpOpcodes() { return rows; }

} // namespace moert::emu
