// mov with its packing and unpacking forms, and cvta. Semantics as documented; not validated on hardware.
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
    return unpacks ? decoder.takeSource(type) : decoder.takeVector(row.part, parts, false);
  }
  return decoder.refuse("a vector of ", parts, " is not known here");
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
  const Names::Variable *variable =
      source.kind == OperandSyntax::Kind::Name ? decoder.getNames().findVariable(source.name) : nullptr;
  if (!variable)
    return decoder.takeSource(type);
  if (variable->space == ".param" || getBytes(type) < 4)
    return decoder.refuse("address of '", source.name, "' is not known here");
  decoder.addSlot(decoder.getNames().getConstant(variable->address, getBytes(type)));
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
  if (decoder.accept("global"))
    decoder.get().execute = selectConvertAddress<0>(toSpace);
  else if (decoder.accept("shared"))
    decoder.get().execute = selectConvertAddress<sharedWindow>(toSpace);
  else if (decoder.accept("local"))
    decoder.get().execute = selectConvertAddress<localWindow>(toSpace);
  else
    return decoder.refuse("expected '.global', '.shared' or '.local'");
  Type type;
  MOERT_TRY(decoder.takeType(type, [](Type type) { return type == Type::U64; }));
  MOERT_TRY(decoder.takeDestination(type));
  return decoder.takeSource(type);
}

constexpr OpcodeRow rows[] = {{"mov", decodeMove}, {"cvta", decodeConvertAddress}};

} // namespace

std::span<const OpcodeRow> getMoveOpcodes() { return rows; }

} // namespace moert::emu
