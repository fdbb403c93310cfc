// Traits follow from the mnemonic alone.
#include "devices/emu/instruction_traits.h"
#include "devices/emu/ptx_types.h"

#include <algorithm>
#include <charconv>

namespace moert::emu {
namespace {

template <size_t Count> bool isOneOf(std::string_view name, const std::string_view (&names)[Count]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool has(const InstructionSyntax &syntax, std::string_view modifier) {
  return std::find(syntax.modifiers.begin(), syntax.modifiers.end(), modifier) != syntax.modifiers.end();
}

bool isOnFloats(const InstructionSyntax &syntax) {
  for (auto modifier = syntax.modifiers.rbegin(); modifier != syntax.modifiers.rend(); ++modifier)
    if (Type type; parseType(*modifier, type))
      return isFloat(type);
  return false;
}

InstructionClass findClass(const InstructionSyntax &syntax) {
  constexpr std::string_view memory[] = {"ld",       "ldu",      "st",       "atom",      "red",     "cp",
                                         "ldmatrix", "stmatrix", "prefetch", "prefetchu", "discard", "applypriority"};
  constexpr std::string_view control[] = {"bra", "brx", "call", "ret", "exit", "trap", "brkpt", "nanosleep", "pmevent"};
  constexpr std::string_view barriers[] = {"bar", "barrier", "mbarrier", "membar", "fence"};
  constexpr std::string_view special[] = {"ex2", "lg2", "sin", "cos", "tanh", "rsqrt", "rcp", "sqrt"};
  const std::string_view opcode = syntax.opcode;
  if (opcode == "mma" || opcode == "wmma")
    return InstructionClass::Tensor;
  if (isOneOf(opcode, barriers) || (opcode == "cp" && has(syntax, "mbarrier")))
    return InstructionClass::Barrier;
  if (isOneOf(opcode, memory))
    return InstructionClass::Memory;
  if (isOneOf(opcode, control))
    return InstructionClass::Control;
  if (isOneOf(opcode, special))
    return InstructionClass::Special;
  return isOnFloats(syntax) ? InstructionClass::Float : InstructionClass::Integer;
}

AccessKind findAccess(const InstructionSyntax &syntax) {
  const std::string_view opcode = syntax.opcode;
  if (has(syntax, "param"))
    return AccessKind::None;
  if (opcode == "ld" || opcode == "ldu" || opcode == "ldmatrix")
    return AccessKind::Read;
  if (opcode == "st" || opcode == "stmatrix")
    return AccessKind::Write;
  if (opcode == "atom" || opcode == "red")
    return AccessKind::Atomic;
  if (opcode == "mbarrier")
    return has(syntax, "init") || has(syntax, "inval") ? AccessKind::Write : AccessKind::Read;
  if (opcode == "cp" && has(syntax, "mbarrier"))
    return AccessKind::Read;
  return opcode == "cp" && has(syntax, "shared") && has(syntax, "global") ? AccessKind::Copy
         : opcode == "cp" && has(syntax, "shared::cta")                   ? AccessKind::Copy
                                                                          : AccessKind::None;
}

MemoryOrder findOrder(const InstructionSyntax &syntax, AccessKind access) {
  if (has(syntax, "acquire"))
    return MemoryOrder::Acquire;
  if (has(syntax, "release"))
    return MemoryOrder::Release;
  if (has(syntax, "acq_rel"))
    return MemoryOrder::AcquireRelease;
  const bool isStrong = access == AccessKind::Atomic || has(syntax, "relaxed") || has(syntax, "volatile");
  return isStrong ? MemoryOrder::Relaxed : MemoryOrder::Weak;
}

// `m16n8k16`: its product times two.
uint32_t parseShape(std::string_view text) {
  uint32_t operations = 2;
  for (const char axis : {'m', 'n', 'k'}) {
    if (text.empty() || text[0] != axis)
      return 0;
    uint32_t extent = 0;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), extent);
    if (error != std::errc())
      return 0;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    operations *= extent;
  }
  return operations;
}

TensorType findTensorType(const InstructionSyntax &syntax) {
  constexpr std::pair<std::string_view, TensorType> names[] = {
      {"bf16", TensorType::BF16}, {"tf32", TensorType::TF32}, {"s8", TensorType::Int8}, {"u8", TensorType::Int8},
      {"s4", TensorType::Int4},   {"u4", TensorType::Int4},   {"f64", TensorType::F64}, {"f16", TensorType::F16}};
  // D, A, B, C are the last types; A says what is multiplied.
  size_t types = 0;
  for (auto modifier = syntax.modifiers.rbegin(); modifier != syntax.modifiers.rend() && types < 3; ++modifier)
    for (const auto &[name, type] : names)
      if (*modifier == name && ++types == 3)
        return type;
      else if (*modifier == name)
        break;
  for (const auto &[name, type] : names)
    if (has(syntax, name))
      return type;
  return TensorType::Other;
}

Reduction findReduction(const InstructionSyntax &syntax, const InstructionTraits &traits) {
  constexpr std::string_view operations[] = {"add", "min", "max", "and", "or", "xor"};
  if (traits.access == AccessKind::Atomic && traits.order == MemoryOrder::Relaxed && !isOnFloats(syntax))
    for (size_t i = 0; i < std::size(operations); ++i)
      if (has(syntax, operations[i]))
        return static_cast<Reduction>(i + 1);
  return Reduction::None;
}

} // namespace

InstructionTraits findTraits(const InstructionSyntax &syntax) {
  InstructionTraits traits;
  traits.kind = findClass(syntax);
  traits.access = findAccess(syntax);
  traits.order = findOrder(syntax, traits.access);
  traits.scope = has(syntax, "cta") ? Scope::Block : Scope::Device;
  const bool isTest = syntax.opcode == "mbarrier" && (has(syntax, "test_wait") || has(syntax, "try_wait"));
  const bool isOrderedLoad = traits.access == AccessKind::Read && traits.order != MemoryOrder::Weak;
  traits.isPoll = isOrderedLoad || isTest || syntax.opcode == "atom" || syntax.opcode == "nanosleep";
  traits.isEffect = traits.access == AccessKind::Write || traits.access == AccessKind::Atomic ||
                    (traits.kind == InstructionClass::Barrier && !isTest && syntax.opcode == "mbarrier");
  traits.isNonCoherent = syntax.opcode == "ld" && has(syntax, "nc");
  traits.isPrivate = has(syntax, "shared") || has(syntax, "shared::cta") || has(syntax, "local");
  traits.reduction = findReduction(syntax, traits);
  traits.isBarrierWait =
      (syntax.opcode == "bar" || syntax.opcode == "barrier") && !has(syntax, "arrive") && !has(syntax, "warp");
  if (traits.kind == InstructionClass::Tensor) {
    for (const std::string_view modifier : syntax.modifiers)
      traits.tensorOperations = std::max(traits.tensorOperations, parseShape(modifier));
    traits.tensorType = findTensorType(syntax);
  }
  return traits;
}

} // namespace moert::emu
