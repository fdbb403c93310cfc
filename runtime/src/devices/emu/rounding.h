// Roundings of floating-point instructions. Handlers are written for the nearest even value; the directed ones run them
// in another mode of the host.
#pragma once
#include "devices/emu/float_bits.h"
#include "devices/emu/lanewise.h"

#include <cfenv>
#include <cmath>

namespace moert::emu {

class RoundingScope {
public:
  explicit RoundingScope(int mode) : before(std::fegetround()) { std::fesetround(mode); }
  ~RoundingScope() { std::fesetround(before); }

private:
  int before;
};

template <Handler Execute, int Mode> void executeRounded(Warp &warp, const Instruction &instruction, LaneMask mask) {
  const RoundingScope scope(Mode);
  Execute(warp, instruction, mask);
}

template <Handler Execute> Handler selectRounded(Rounding rounding) {
  switch (rounding) {
  case Rounding::TowardsZero:
    return executeRounded<Execute, FE_TOWARDZERO>;
  case Rounding::Down:
    return executeRounded<Execute, FE_DOWNWARD>;
  case Rounding::Up:
    return executeRounded<Execute, FE_UPWARD>;
  default:
    return Execute;
  }
}

// What may stand between the opcode and the type.
struct FloatModifiers {
  bool isRounded = false;
  Rounding rounding = Rounding::NearestEven;
  bool flushes = false, saturates = false;
};

inline void takeFloatModifiers(Decoder &decoder, FloatModifiers &modifiers) {
  constexpr std::string_view names[] = {"rn", "rz", "rm", "rp"};
  const int which = decoder.acceptAny(names);
  modifiers.isRounded = which >= 0;
  modifiers.rounding = which > 0 ? static_cast<Rounding>(which) : Rounding::NearestEven;
  modifiers.flushes = decoder.accept("ftz");
  modifiers.saturates = decoder.accept("sat");
}

// `.ftz`: what is too small for a normal f32 becomes zero and keeps its sign.
inline float flush(float value) { return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value; }
inline double flush(double value) { return value; }

// `.sat`: into [0, 1], and NaN becomes 0.
template <typename T> T clampToUnit(T value) { return value > T(0) ? (value < T(1) ? value : T(1)) : T(0); }

template <typename Op> struct Flushed {
  template <typename... S> static auto apply(S... sources) { return flush(Op::apply(flush(sources)...)); }
};
template <typename Op> struct Saturated {
  template <typename... S> static auto apply(S... sources) { return clampToUnit(Op::apply(sources...)); }
};

// The handler of `Op` on `Sources` numbers of type T with all modifiers applied.
template <typename Op, typename T, int Sources> constexpr Handler getFloatHandler() {
  if constexpr (Sources == 1)
    return Lanewise<Op, T, T>::execute;
  else if constexpr (Sources == 2)
    return Lanewise<Op, T, T, T>::execute;
  else
    return Lanewise<Op, T, T, T, T>::execute;
}
template <typename Op, typename T, int Sources> Handler selectFloatHandler(const FloatModifiers &modifiers) {
  const auto select = [&]<typename Modified>(Tag<Modified>) {
    return selectRounded<getFloatHandler<Modified, T, Sources>()>(modifiers.rounding);
  };
  if (modifiers.flushes)
    return modifiers.saturates ? select(Tag<Saturated<Flushed<Op>>>()) : select(Tag<Flushed<Op>>());
  return modifiers.saturates ? select(Tag<Saturated<Op>>()) : select(Tag<Op>());
}

} // namespace moert::emu
