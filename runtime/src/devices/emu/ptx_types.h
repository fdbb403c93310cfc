// The types of PTX instructions and how they lie in registers.
#pragma once
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace moert::emu {

enum class Type : uint8_t {
  Pred,
  B8,
  B16,
  B32,
  B64,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  BF16,
  F16x2,
  BF16x2,
  F32,
  F64
};

constexpr std::string_view typeNames[] = {"pred", "b8",  "b16", "b32", "b64",  "u8",    "u16",    "u32", "u64", "s8",
                                          "s16",  "s32", "s64", "f16", "bf16", "f16x2", "bf16x2", "f32", "f64"};

constexpr bool parseType(std::string_view name, Type &type) {
  for (uint8_t i = 0; i < std::size(typeNames); ++i)
    if (typeNames[i] == name) {
      type = static_cast<Type>(i);
      return true;
    }
  return false;
}

constexpr std::string_view getName(Type type) { return typeNames[static_cast<uint8_t>(type)]; }

// 0 for predicates.
constexpr uint32_t getBytes(Type type) {
  constexpr uint8_t bytes[] = {0, 1, 2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 4, 4, 8};
  return bytes[static_cast<uint8_t>(type)];
}

constexpr bool isSigned(Type type) { return type >= Type::S8 && type <= Type::S64; }
constexpr bool isUnsigned(Type type) { return type >= Type::U8 && type <= Type::U64; }
constexpr bool isInteger(Type type) { return isSigned(type) || isUnsigned(type); }
constexpr bool isBits(Type type) { return type >= Type::B8 && type <= Type::B64; }
constexpr bool isFloat(Type type) { return type >= Type::F16; }

// The unsigned integer of a type's size.
constexpr Type getUnsigned(Type type) {
  return getBytes(type) == 8 ? Type::U64 : getBytes(type) == 4 ? Type::U32 : getBytes(type) == 2 ? Type::U16 : Type::U8;
}

template <unsigned Bytes>
using Unsigned =
    std::conditional_t<Bytes == 1, uint8_t,
                       std::conditional_t<Bytes == 2, uint16_t, std::conditional_t<Bytes == 4, uint32_t, uint64_t>>>;

} // namespace moert::emu
