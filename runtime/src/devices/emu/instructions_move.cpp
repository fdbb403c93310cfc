// mov with its packing and unpacking forms, cvta and isspacep.
#include "devices/emu/lanewise.h"

namespace moert::emu {
namespace {

// Poison moves along.
template <typename T> struct Identity {
  static T apply(T a) { return a; }
};

void executePredicateMove(Warp &warp, const Instruction &instruction, LaneMask mask) {
  LaneMask &destination = warp.predicate(instruction.slots[0]);
  destination = (destination & ~mask) | (warp.predicate(instruction.slots[1]) & mask);
  warp.setPoison(instruction.slots[0], mask, warp.poison(instruction.slots[1]));
}

// The first element is the lowest.
template <typename Whole, typename Part> void executePack(Warp &warp, const Instruction &instruction, LaneMask mask) {
  constexpr uint32_t parts = sizeof(Whole) / sizeof(Part);
  Whole result[warpSize] = {};
  LaneMask poison = 0;
  for (uint32_t i = 0; i < parts; ++i) {
    const Part *part = warp.lanes<Part>(instruction.slots[1 + i]);
    poison |= warp.poison(instruction.slots[1 + i]);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      result[lane] |= static_cast<Whole>(part[lane]) << (8 * sizeof(Part) * i);
  }
  Whole *destination = warp.lanes<Whole>(instruction.slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = result[lane]; });
  warp.setPoison(instruction.slots[0], mask, poison);
}

template <typename Whole, typename Part> void executeUnpack(Warp &warp, const Instruction &instruction, LaneMask mask) {
  constexpr uint32_t parts = sizeof(Whole) / sizeof(Part);
  Whole whole[warpSize];
  std::memcpy(whole, warp.lanes<Whole>(instruction.slots[parts]), sizeof(whole));
  const LaneMask poison = warp.poison(instruction.slots[parts]);
  for (uint32_t i = 0; i < parts; ++i) {
    Part *part = warp.lanes<Part>(instruction.slots[i]);
    forEachLane(mask, [&](uint32_t lane) { part[lane] = static_cast<Part>(whole[lane] >> (8 * sizeof(Part) * i)); });
    warp.setPoison(instruction.slots[i], mask, poison);
  }
}

struct PackRow {
  Type whole, part;
  uint32_t parts;
  Handler pack, unpack;
};

constexpr PackRow packRows[] = {
    {Type::B32, Type::B16, 2, executePack<uint32_t, uint16_t>, executeUnpack<uint32_t, uint16_t>},
    {Type::B64, Type::B32, 2, executePack<uint64_t, uint32_t>, executeUnpack<uint64_t, uint32_t>},
    {Type::B64, Type::B16, 4, executePack<uint64_t, uint16_t>, executeUnpack<uint64_t, uint16_t>},
};

Status decodePacking(Decoder &decoder, Type type) {
  const auto &operands = decoder.getSyntax().operands;
  const bool unpacks = operands[0].kind == OperandSyntax::Kind::Vector;
  const size_t parts = operands[unpacks ? 0 : 1].elements.size();
  for (const PackRow &row : packRows) {
    if (row.whole != type || row.parts != parts)
      continue;
    decoder.get().execute = unpacks ? row.unpack : row.pack;
    MOERT_TRY(unpacks ? decoder.takeVector(row.part, parts, true) : decoder.takeDestination(type));
    MOERT_TRY(unpacks ? decoder.takeSource(type) : decoder.takeVector(row.part, parts, false));
    for (size_t i = 0; !unpacks && i < parts; ++i)
      decoder.fillOpenPart(operands[1].elements[i], 1 + i, row.part);
    return Status::success();
  }
  return decoder.refuse("a vector of ", parts, " is not known here");
}

// Time goes on by one with each instruction of the warp; a nanosecond is as long.
template <typename T, uint32_t Shift> void executeClock(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const T value = static_cast<T>(warp.getInstructions() >> Shift);
  T *destination = warp.lanes<T>(instruction.slots[0]);
  forEachLane(mask, [&](uint32_t lane) { destination[lane] = value; });
  warp.setPoison(instruction.slots[0], mask, 0);
}

// Of a special register that changes while the warp runs; null if `name` is none.
Handler selectClock(std::string_view name, Type type) {
  struct Row {
    std::string_view name;
    uint32_t bytes;
    Handler handler;
  };
  constexpr Row clocks[] = {
      {"%clock", 4, executeClock<uint32_t, 0>},          {"%clock_hi", 4, executeClock<uint32_t, 32>},
      {"%clock64", 8, executeClock<uint64_t, 0>},        {"%globaltimer", 8, executeClock<uint64_t, 0>},
      {"%globaltimer_lo", 4, executeClock<uint32_t, 0>}, {"%globaltimer_hi", 4, executeClock<uint32_t, 32>},
  };
  for (const Row &row : clocks)
    if (row.name == name && row.bytes == getBytes(type))
      return row.handler;
  return nullptr;
}

Status decodeMove(Decoder &decoder) {
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return getBytes(type) != 1; }));
  const auto &operands = decoder.getSyntax().operands;
  if (operands.size() != 2)
    return decoder.refuse("expected two operands");
  if (operands[0].kind == OperandSyntax::Kind::Vector || operands[1].kind == OperandSyntax::Kind::Vector)
    return decodePacking(decoder, type);
  decoder.get().execute = type == Type::Pred    ? executePredicateMove
                          : getBytes(type) == 2 ? Lanewise<Identity<uint16_t>, uint16_t, uint16_t>::execute
                          : getBytes(type) == 4 ? Lanewise<Identity<uint32_t>, uint32_t, uint32_t>::execute
                                                : Lanewise<Identity<uint64_t>, uint64_t, uint64_t>::execute;
  MOERT_TRY(decoder.takeDestination(type));
  // The address of a variable inside its space.
  const OperandSyntax &source = operands[1];
  const Variable *variable =
      source.kind == OperandSyntax::Kind::Name ? decoder.getNames().findVariable(source.name) : nullptr;
  if (!variable) {
    if (Handler clock = selectClock(source.name, type)) {
      decoder.get().execute = clock;
      decoder.skip();
      return Status::success();
    }
    return decoder.takeSource(type);
  }
  if (getBytes(type) < 4)
    return decoder.refuse("an address in .", getName(type));
  const uint64_t address = variable->space == VariableSpace::KernelParameter ? variable->localCopy : variable->address;
  decoder.addSlot(decoder.getNames().getConstant(address + source.bits, getBytes(type)));
  decoder.skip();
  return Status::success();
}

// Between an address inside a space and the generic one.
template <uint64_t Window, bool ToSpace> struct ConvertAddress {
  static uint64_t apply(uint64_t a) { return ToSpace ? a - Window : a + Window; }
};

template <uint64_t Window> Handler selectConvertAddress(bool toSpace) {
  return toSpace ? Handler(Lanewise<ConvertAddress<Window, true>, uint64_t, uint64_t>::execute)
                 : Handler(Lanewise<ConvertAddress<Window, false>, uint64_t, uint64_t>::execute);
}

Status decodeConvertAddress(Decoder &decoder) {
  const bool toSpace = decoder.accept("to");
  if (decoder.accept("global") || decoder.accept("const"))
    decoder.get().execute = selectConvertAddress<0>(toSpace);
  else if (decoder.accept("shared") || decoder.accept("shared::cta"))
    decoder.get().execute = selectConvertAddress<sharedWindow>(toSpace);
  else if (decoder.accept("local") || decoder.accept("param"))
    decoder.get().execute = selectConvertAddress<localWindow>(toSpace);
  else
    return decoder.refuse("expected '.global', '.const', '.shared' or '.local'");
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::U64; }));
  MOERT_TRY(decoder.takeDestination(type));
  return decoder.takeSource(type);
}

// Whether a generic address lies in a window.
template <uint64_t First, uint64_t End>
void executeIsInSpace(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const uint64_t *address = warp.lanes<uint64_t>(instruction.slots[1]);
  LaneMask result = 0;
  for (uint32_t lane = 0; lane < warpSize; ++lane)
    result |= LaneMask(address[lane] - First < End - First) << lane;
  LaneMask &predicate = warp.predicate(instruction.slots[0]);
  predicate = (predicate & ~mask) | (result & mask);
  warp.setPoison(instruction.slots[0], mask, warp.poison(instruction.slots[1]));
}

Status decodeIsInSpace(Decoder &decoder) {
  if (decoder.accept("global"))
    decoder.get().execute = executeIsInSpace<0, sharedWindow>;
  else if (decoder.accept("shared") || decoder.accept("shared::cta"))
    decoder.get().execute = executeIsInSpace<sharedWindow, localWindow>;
  else if (decoder.accept("local"))
    decoder.get().execute = executeIsInSpace<localWindow, ~uint64_t(0)>;
  else
    return decoder.refuse("expected '.global', '.shared' or '.local'");
  MOERT_TRY(decoder.takeDestination(Type::Pred));
  return decoder.takeSource(Type::U64);
}

constexpr OpcodeRow rows[] = {{"mov", decodeMove}, {"cvta", decodeConvertAddress}, {"isspacep", decodeIsInSpace}};

} // namespace

std::span<const OpcodeRow> getMoveOpcodes() { return rows; }

} // namespace moert::emu
