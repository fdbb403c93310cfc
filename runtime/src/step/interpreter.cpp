// One case per opcode. What the checker proved about the words is not checked again; what depends on values is: sizes,
// element indices, empty and read-only slots.
#include "step/interpreter.h"

#include "element_type.h"
#include "step/binary.h"
#include "step/step_format.h"

#include <algorithm>
#include <cstring>

namespace moert {

Interpreter::Interpreter(const Program &program, const moert_session_options_t &hooks, ThreadPool &pool, Arena &arena,
                         Outputs &outputs, Mode mode)
    : program(program), mode(mode), hooks(hooks), pool(pool), arena(arena), outputs(outputs),
      words(program.getArtifact().program.words.data()),
      firstWeightSlot(static_cast<uint32_t>(program.getArtifact().inputs.size())),
      firstFreeSlot(firstWeightSlot + static_cast<uint32_t>(program.getArtifact().weights.size())),
      registers(program.getArtifact().program.registerCount), slots(program.getArtifact().program.slotCount) {
  const Artifact &artifact = program.getArtifact();
  for (uint32_t i = 0; i < artifact.weights.size(); ++i)
    slots[firstWeightSlot + i] = {program.getWeightData(i), artifact.weights[i].size, Arena::noBlock, i, false};
  uint32_t mostBuffers = 0, mostScalars = 0;
  for (const KernelDeclaration &declaration : artifact.kernels) {
    mostBuffers = std::max(mostBuffers, declaration.bufferCount);
    mostScalars = std::max(mostScalars, declaration.scalarCount);
  }
  // A kernel that is never dispatched may declare any number.
  buffers.resize(std::min<size_t>(mostBuffers, artifact.program.words.size()));
  scalars.resize(std::min<size_t>(mostScalars, artifact.program.words.size()));
  if (!hooks.trace)
    return;
  threadTasks.resize(pool.getThreadCount());
  for (std::vector<moert_trace_task_t> &list : threadTasks)
    list.reserve(pool.getMaxClaims()); // workers must not allocate, they could not report a failure
}

template <typename... Pieces> Status Interpreter::stepFailure(moert_status_t code, const Pieces &...pieces) const {
  return failure(code, "step at word ", current, " (", getStepFormat(stepOpcode(words[current])).name,
                 "): ", pieces...);
}

Status Interpreter::run(std::span<const Input> runInputs, const std::atomic<bool> &cancelFlag) {
  inputs = runInputs;
  cancelled = &cancelFlag;
  dispatches = 0;
  current = 0;
  std::fill(registers.begin(), registers.end(), 0);
  for (size_t i = 0; i < inputs.size(); ++i)
    slots[i] = {inputs[i].data, inputs[i].size, Arena::noBlock, Slot::noWeight, false};
  struct Cleanup {
    Interpreter &interpreter;
    ~Cleanup() { interpreter.releaseAll(); }
  } cleanup{*this};
  return execute();
}

void Interpreter::clear(Slot &slot) {
  if (slot.block != Arena::noBlock)
    arena.release(slot.block);
  slot = Slot();
}

void Interpreter::releaseAll() {
  for (size_t i = firstFreeSlot; i < slots.size(); ++i)
    clear(slots[i]);
}

Status Interpreter::execute() {
  while (true) {
    const uint32_t first = words[current];
    if (stepOpcode(first) == MOERT_STEP_RETURN)
      return Status::success();
    nextStep = current + stepWordCount(first);
    MOERT_TRY(executeStep(words + current + 1, stepOpcode(first)));
    current = nextStep;
  }
}

Status Interpreter::executeStep(const uint32_t *operands, uint32_t opcode) {
  switch (opcode) {
  case MOERT_STEP_CONST:
    registers[operands[0]] = wrap(uint64_t(operands[2]) << 32 | operands[1]);
    return Status::success();
  case MOERT_STEP_BINARY:
    return binary(operands);
  case MOERT_STEP_SELECT:
    registers[operands[0]] = registers[registers[operands[1]] ? operands[2] : operands[3]];
    return Status::success();
  case MOERT_STEP_INPUT_DIM:
    registers[operands[0]] = inputs[operands[1]].dims[operands[2]];
    return Status::success();
  case MOERT_STEP_ALLOC:
    return alloc(operands);
  case MOERT_STEP_OUTPUT:
    return output(operands);
  case MOERT_STEP_FREE:
    clear(slots[operands[0]]);
    return Status::success();
  case MOERT_STEP_ALIAS:
    return alias(operands);
  case MOERT_STEP_MOVE:
    if (operands[0] != operands[1]) {
      clear(slots[operands[0]]);
      std::swap(slots[operands[0]], slots[operands[1]]);
    }
    return Status::success();
  case MOERT_STEP_LOAD:
    return load(operands);
  case MOERT_STEP_STORE:
    return store(operands);
  case MOERT_STEP_COPY:
    return copy(operands);
  case MOERT_STEP_DISPATCH:
    return dispatch(operands);
  case MOERT_STEP_JUMP:
    return jump(operands[0]);
  case MOERT_STEP_JUMP_IF_ZERO:
    return registers[operands[0]] ? Status::success() : jump(operands[1]);
  case MOERT_STEP_CHECK:
    if (registers[operands[0]])
      return Status::success();
    return failure(MOERT_RUN_FAILED, program.getArtifact().stepString(operands[1], operands[2]));
  case MOERT_STEP_ROUTING:
    return hooks.routing && mode == Mode::Run ? reportRouting(operands) : Status::success();
  case MOERT_STEP_STATE:
    return state(operands);
  }
  return failure(MOERT_RUN_FAILED, "unknown opcode ", opcode, " at word ", current);
}

Status Interpreter::binary(const uint32_t *operands) {
  if (!evaluateBinary(operands[3], registers[operands[1]], registers[operands[2]], registers[operands[0]]))
    return stepFailure(MOERT_RUN_FAILED, "division by zero");
  return Status::success();
}

Status Interpreter::alloc(const uint32_t *operands) {
  const int64_t bytes = registers[operands[1]];
  if (bytes < 0)
    return stepFailure(MOERT_RUN_FAILED, "size ", bytes, " is negative");
  Slot &slot = slots[operands[0]];
  clear(slot);
  const Arena::Block block = arena.allocate(static_cast<uint64_t>(bytes));
  if (block == Arena::noBlock)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", bytes, " bytes for a buffer between kernels");
  slot = {arena.address(block), static_cast<uint64_t>(bytes), block, Slot::noWeight, true};
  return Status::success();
}

Status Interpreter::output(const uint32_t *operands) {
  const uint32_t index = operands[1];
  const uint32_t rank = static_cast<uint32_t>(program.getArtifact().outputs[index].dims.size());
  for (uint32_t i = 0; i < rank; ++i)
    outputs.getDims(index)[i] = registers[operands[2 + i]];
  Slot &slot = slots[operands[0]];
  clear(slot);
  MOERT_TRY(outputs.provide(index, rank, slot.data, slot.size));
  slot.isWritable = true;
  return Status::success();
}

Status Interpreter::state(const uint32_t *operands) {
  const moert_state_t &row = program.getArtifact().states[operands[2]];
  const TensorType &type = program.getArtifact().inputs[row.input];
  const std::span<const int64_t> dims(inputs[row.input].dims, type.dims.size());
  StateMemory memory;
  clear(slots[operands[0]]);
  MOERT_TRY(outputs.provideState(operands[2], dims, registers[operands[3]], memory));
  if (mode == Mode::Run && !memory.holdsPast)
    copyPositions(AxisLayout::of(dims, row.axis, elementSize(type.elementType)), inputs[row.input].data, dims[row.axis],
                  memory.data, memory.capacity, dims[row.axis]);
  slots[operands[0]] = {memory.data, memory.size, Arena::noBlock, Slot::noWeight, true};
  registers[operands[1]] = memory.capacity;
  return Status::success();
}

Status Interpreter::alias(const uint32_t *operands) {
  const Slot &source = slots[operands[1]];
  const int64_t offset = registers[operands[2]];
  if (!source.data)
    return stepFailure(MOERT_RUN_FAILED, "slot ", operands[1], " is empty");
  if (offset < 0 || static_cast<uint64_t>(offset) > source.size)
    return stepFailure(MOERT_RUN_FAILED, "offset ", offset, " exceeds the ", source.size, " bytes of slot ",
                       operands[1]);
  const Slot view = {source.data + offset, source.size - static_cast<uint64_t>(offset), Arena::noBlock, source.weight,
                     source.isWritable};
  if (operands[0] != operands[1])
    clear(slots[operands[0]]);
  const Arena::Block owned = slots[operands[0]].block; // still there when a slot is narrowed to a part of itself
  slots[operands[0]] = view;
  slots[operands[0]].block = owned;
  return Status::success();
}

Status Interpreter::checkElement(const Slot &slot, int64_t index, uint32_t elementType) const {
  if (!slot.data)
    return stepFailure(MOERT_RUN_FAILED, "the slot is empty");
  if (index < 0 || static_cast<uint64_t>(index) >= slot.size / elementSize(elementType))
    return stepFailure(MOERT_RUN_FAILED, "element ", index, " of ", slot.size / elementSize(elementType));
  return Status::success();
}

template <typename Element> static int64_t readElement(const std::byte *data, int64_t index) {
  Element element;
  std::memcpy(&element, data + index * static_cast<int64_t>(sizeof(Element)), sizeof(Element));
  return static_cast<int64_t>(element);
}

static int64_t readInteger(const std::byte *data, int64_t index, uint32_t elementType) {
  switch (elementType) {
  case MOERT_BOOL:
    return readElement<uint8_t>(data, index) != 0;
  case MOERT_U8:
    return readElement<uint8_t>(data, index);
  case MOERT_I8:
    return readElement<int8_t>(data, index);
  case MOERT_U16:
    return readElement<uint16_t>(data, index);
  case MOERT_I16:
    return readElement<int16_t>(data, index);
  case MOERT_U32:
    return readElement<uint32_t>(data, index);
  case MOERT_I32:
    return readElement<int32_t>(data, index);
  default:
    return readElement<int64_t>(data, index);
  }
}

Status Interpreter::load(const uint32_t *operands) {
  const Slot &slot = slots[operands[1]];
  const int64_t index = registers[operands[2]];
  MOERT_TRY(checkElement(slot, index, operands[3]));
  if (mode == Mode::Dry)
    return failure(MOERT_UNSUPPORTED, "sizes depend on values that only a run computes");
  registers[operands[0]] = readInteger(slot.data, index, operands[3]);
  return Status::success();
}

Status Interpreter::store(const uint32_t *operands) {
  const Slot &slot = slots[operands[0]];
  const int64_t index = registers[operands[1]];
  MOERT_TRY(checkElement(slot, index, operands[3]));
  if (!slot.isWritable)
    return stepFailure(MOERT_RUN_FAILED, "slot ", operands[0], " is a view of an input or a weight");
  if (mode == Mode::Dry)
    return Status::success();
  // Little endian: the low bytes come first.
  const uint64_t value = static_cast<uint64_t>(registers[operands[2]]);
  const uint64_t size = elementSize(operands[3]);
  std::memcpy(slot.data + static_cast<uint64_t>(index) * size, &value, size);
  return Status::success();
}

static bool isInside(const Slot &slot, int64_t offset, int64_t bytes) {
  return slot.data && offset >= 0 && bytes >= 0 && static_cast<uint64_t>(offset) <= slot.size &&
         static_cast<uint64_t>(bytes) <= slot.size - static_cast<uint64_t>(offset);
}

Status Interpreter::copy(const uint32_t *operands) {
  const Slot &target = slots[operands[0]], &source = slots[operands[2]];
  const int64_t targetOffset = registers[operands[1]], sourceOffset = registers[operands[3]];
  const int64_t bytes = registers[operands[4]];
  if (!isInside(target, targetOffset, bytes) || !isInside(source, sourceOffset, bytes))
    return stepFailure(MOERT_RUN_FAILED, bytes, " bytes from offset ", sourceOffset, " of ", source.size, " to offset ",
                       targetOffset, " of ", target.size);
  if (!target.isWritable)
    return stepFailure(MOERT_RUN_FAILED, "slot ", operands[0], " is a view of an input or a weight");
  if (mode == Mode::Run)
    std::memmove(target.data + targetOffset, source.data + sourceOffset, static_cast<size_t>(bytes));
  return Status::success();
}

Status Interpreter::jump(uint32_t target) {
  nextStep = target;
  // Every loop passes here.
  if (target <= current && cancelled->load(std::memory_order_relaxed))
    return failure(MOERT_CANCELLED, "the run was cancelled");
  return Status::success();
}

Status Interpreter::reportRouting(const uint32_t *operands) {
  const uint32_t layer = operands[0], selected = program.getArtifact().layers[layer].selected;
  const Slot &experts = slots[operands[1]], &gates = slots[operands[2]];
  const int64_t tokens = registers[operands[3]];
  uint64_t bytes = 0;
  const int64_t dims[] = {tokens, selected};
  if (!denseBytes(dims, 2, sizeof(int32_t), bytes) || !experts.data || !gates.data || experts.size < bytes ||
      gates.size < bytes)
    return stepFailure(MOERT_RUN_FAILED, "buffers of ", experts.size, " and ", gates.size, " bytes for ", tokens,
                       " tokens and ", selected, " experts each");
  hooks.routing(hooks.routing_context, layer, tokens, selected, reinterpret_cast<const int32_t *>(experts.data),
                reinterpret_cast<const float *>(gates.data));
  return Status::success();
}

} // namespace moert
