// Handlers for instructions that compute each lane for itself: a scalar statement of their meaning becomes a loop over
// the lanes that compilers vectorise.
#pragma once
#include "devices/emu/decoder.h"
#include "devices/emu/warp.h"
#include "devices/emu/wide_vectors.h"

#include <cstring>
#include <tuple>
#include <utility>

namespace moert::emu {

// `Op::apply(sources...)` gives the destination's value. A result depends on poison if any source does.
template <typename Op, typename D, typename... S> struct Lanewise {
  static void execute(Warp &warp, const Instruction &instruction, LaneMask mask) {
    if (hasWideVectors)
      executeWide(warp, instruction, mask);
    else
      run(warp, instruction, mask, std::index_sequence_for<S...>());
  }

private:
  MOERT_EMU_WIDE static void executeWide(Warp &warp, const Instruction &instruction, LaneMask mask) {
    run(warp, instruction, mask, std::index_sequence_for<S...>());
  }

  template <size_t... I>
  MOERT_EMU_INLINE static void run(Warp &warp, const Instruction &instruction, LaneMask mask,
                                   std::index_sequence<I...>) {
    D result[warpSize];
    const auto sources = std::make_tuple(static_cast<const S *>(warp.lanes<S>(instruction.slots[I + 1]))...);
    for (uint32_t lane = 0; lane < warpSize; ++lane)
      result[lane] = Op::apply(std::get<I>(sources)[lane]...);
    D *destination = warp.lanes<D>(instruction.slots[0]);
    if (mask == allLanes)
      std::memcpy(destination, result, sizeof(result));
    else
      forEachLane(mask, [&](uint32_t lane) { destination[lane] = result[lane]; });
    warp.setPoison(instruction.slots[0], mask, (warp.poison(instruction.slots[I + 1]) | ...));
  }
};

// A type as C++ has it.
template <typename T> struct Tag { using type = T; };

// Calls `visitor` with the Tag of the integer type that a signed, unsigned or untyped PTX type stands for.
template <typename Visitor> auto visitInteger(Type type, Visitor visitor) {
  switch (type) {
  case Type::S8:
    return visitor(Tag<int8_t>());
  case Type::U16:
  case Type::B16:
    return visitor(Tag<uint16_t>());
  case Type::S16:
    return visitor(Tag<int16_t>());
  case Type::U32:
  case Type::B32:
    return visitor(Tag<uint32_t>());
  case Type::S32:
    return visitor(Tag<int32_t>());
  case Type::U64:
  case Type::B64:
    return visitor(Tag<uint64_t>());
  case Type::S64:
    return visitor(Tag<int64_t>());
  default:
    return visitor(Tag<uint8_t>());
  }
}

// The same for integers from 16 bits on.
template <typename Visitor> auto visitWideInteger(Type type, Visitor visitor) {
  switch (type) {
  case Type::U16:
    return visitor(Tag<uint16_t>());
  case Type::S16:
    return visitor(Tag<int16_t>());
  case Type::U64:
    return visitor(Tag<uint64_t>());
  case Type::S64:
    return visitor(Tag<int64_t>());
  case Type::S32:
    return visitor(Tag<int32_t>());
  default:
    return visitor(Tag<uint32_t>());
  }
}

// The same for f32 and f64.
template <typename Visitor> auto visitFloat(Type type, Visitor visitor) {
  return type == Type::F32 ? visitor(Tag<float>()) : visitor(Tag<double>());
}

constexpr bool isWideInteger(Type type) { return isInteger(type) && getBytes(type) > 1; }
constexpr bool isWideFloat(Type type) { return type == Type::F32 || type == Type::F64; }
constexpr bool isHalf(Type type) { return isFloat(type) && !isWideFloat(type); }
constexpr bool isHalfPair(Type type) { return type == Type::F16x2 || type == Type::BF16x2; }
constexpr bool isArithmetic(Type type) { return isWideInteger(type) || isWideFloat(type); }
constexpr bool isWideBits(Type type) { return isBits(type) && getBytes(type) > 1; }

} // namespace moert::emu
