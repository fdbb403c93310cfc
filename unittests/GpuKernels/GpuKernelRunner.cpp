//===- GpuKernelRunner.cpp - one op compiled to PTX and run on the emulated GPU -===//

#include "GpuKernelRunner.h"

#include "moec/Conversion/GpuKernels.h"
#include "moec/Conversion/Kernels.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/Step.h"
#include "moec/Target/Cuda/CudaTarget.h"
#include "moec/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"

#include <cstring>

using namespace mlir;
using namespace moec;
using namespace moec::test;
using moec::reference::HostTensor;
using moert::emu::MemoryTag;

std::unique_ptr<MLIRContext> moec::test::makeGpuContext() {
  DialectRegistry registry;
  registry.insert<func::FuncDialect, linalg::LinalgDialect, tensor::TensorDialect, moe::MoeDialect, nn::NnDialect,
                  step::StepDialect>();
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
  registerLinalgKernels(registry);
  registerMoeKernels(registry);
  registerNnKernels(registry);
  registerTensorKernels(registry);
  registerGpuKernels(registry);
  registerCudaLowering(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  context->loadAllAvailableDialects();
  return context;
}

GpuKernelRunner::GpuKernelRunner(MLIRContext &context, StringRef text, bool plainF32) {
  module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return;
  PassManager passes(&context);
  FormKernelsOptions form;
  form.gpu = "sm_80";
  form.plainF32 = plainF32;
  passes.addPass(createFormKernels(form));
  EmitGpuKernelsOptions emit;
  emit.plainF32 = plainF32;
  passes.addPass(createEmitGpuKernels(emit));
  buildCudaLoweringPipeline(passes.nest<gpu::GPUModuleOp>());
  if (failed(passes.run(*module)))
    return;
  auto gpuModule = *module->getOps<gpu::GPUModuleOp>().begin();
  FailureOr<GpuImage> image = compileGpuImage(gpuModule, "");
  if (failed(image) || image->entries.size() != 1)
    return;
  const GpuEntry &only = image->entries.begin()->second;
  ptx = image->ptx;
  entry = only.name;
  threads = only.threads;
  sharedBytes = only.sharedBytes;
}

static int64_t readIndex(const GpuOperand &operand) {
  int64_t value;
  std::memcpy(&value, operand.bytes.data(), sizeof(value));
  return value;
}

/// An integer of the host function for inputs of these shapes.
int64_t GpuKernelRunner::evaluate(Value value, ArrayRef<GpuOperand> inputs) const {
  Operation *op = value.getDefiningOp();
  if (auto argument = dyn_cast<BlockArgument>(value))
    return readIndex(inputs[argument.getArgNumber()]);
  if (auto dim = dyn_cast_if_present<tensor::DimOp>(op))
    return inputs[cast<BlockArgument>(dim.getSource()).getArgNumber()].shape[*dim.getConstantIndex()];
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands()) {
    unsigned width = operand.getType().isInteger(1) ? 1 : 64;
    operands.push_back(IntegerAttr::get(operand.getType(), APInt(width, evaluate(operand, inputs), /*isSigned=*/true)));
  }
  SmallVector<OpFoldResult> results;
  if (failed(op->fold(operands, results)))
    llvm::report_fatal_error("cannot evaluate " + op->getName().getStringRef());
  if (auto folded = dyn_cast<Value>(results[0]))
    return evaluate(folded, inputs);
  return cast<IntegerAttr>(cast<Attribute>(results[0])).getInt();
}

/// In memory; an index is passed as 64 bits.
static unsigned elementBytes(const HostTensor &tensor) {
  Type type = tensor.getElementType();
  return type.isIndex() ? sizeof(int64_t) : llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

static std::vector<std::byte> toBytes(const HostTensor &tensor) {
  unsigned width = elementBytes(tensor);
  std::vector<std::byte> bytes(tensor.getSize() * width);
  for (int64_t i = 0; i < tensor.getSize(); ++i) {
    uint64_t bits;
    if (tensor.isFloat()) {
      APFloat number(tensor.real(i));
      bool isLossy;
      number.convert(cast<FloatType>(tensor.getElementType()).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                     &isLossy);
      bits = number.bitcastToAPInt().getZExtValue();
    } else {
      bits = tensor.integer(i);
    }
    std::memcpy(&bytes[i * width], &bits, width);
  }
  return bytes;
}

static HostTensor fromBytes(Type type, ArrayRef<int64_t> shape, const std::vector<std::byte> &bytes) {
  HostTensor tensor(type, shape);
  unsigned width = elementBytes(tensor);
  for (int64_t i = 0; i < tensor.getSize(); ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, &bytes[i * width], width);
    if (auto floatType = dyn_cast<FloatType>(type))
      tensor.setReal(i, APFloat(floatType.getFloatSemantics(), APInt(8 * width, bits)).convertToDouble());
    else
      tensor.setInteger(i, bits);
  }
  return tensor;
}

moert::Status GpuKernelRunner::run(ArrayRef<GpuOperand> inputs, uint64_t seed, SmallVectorImpl<GpuResult> &results,
                                   uint32_t &status) {
  auto main = module->lookupSymbol<func::FuncOp>("main");
  auto dispatch = *main.getOps<step::DispatchOp>().begin();
  blocks = evaluate(dispatch.getBlocks(), inputs);
  uint64_t workspaceBytes = evaluate(dispatch.getWorkspace(), inputs);

  moert::emu::Module code;
  MOERT_TRY(moert::emu::Module::load(ptx, code));
  moert::emu::Emulator emulator;
  moert::emu::GlobalMemory &memory = emulator.getMemory();
  SmallVector<uint64_t> buffers, scalars;
  for (Value input : dispatch.getInputs()) {
    if (input.getType().isIndex()) {
      scalars.push_back(evaluate(input, inputs));
      continue;
    }
    unsigned number = cast<BlockArgument>(input).getArgNumber();
    auto tag = llvm::is_contained(weights, number) ? MemoryTag::Weights : MemoryTag::Activations;
    buffers.push_back(memory.map(inputs[number].bytes, tag));
    auto type = cast<RankedTensorType>(input.getType());
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      if (type.isDynamicDim(axis))
        scalars.push_back(inputs[number].shape[axis]);
  }
  auto dims = dispatch.getDims().begin();
  results.clear();
  for (Type resultType : dispatch.getResultTypes()) {
    auto type = cast<RankedTensorType>(resultType);
    GpuResult &result = results.emplace_back();
    result.shape.assign(type.getShape().begin(), type.getShape().end());
    int64_t elements = 1;
    for (int64_t &extent : result.shape) {
      if (ShapedType::isDynamic(extent)) {
        extent = evaluate(*dims++, inputs);
        scalars.push_back(extent);
      }
      elements *= extent;
    }
    // Results that nobody writes keep this pattern.
    result.bytes.assign(elements * llvm::divideCeil(type.getElementTypeBitWidth(), 8), std::byte(0x7e));
    if (auto tied = dyn_cast_if_present<BlockArgument>(dispatch.getTied())) {
      std::span<std::byte> held = inputs[tied.getArgNumber()].bytes;
      result.bytes.assign(held.begin(), held.end());
    }
    buffers.push_back(memory.allocate(result.bytes.size(), MemoryTag::Activations));
    MOERT_TRY(memory.write(buffers.back(), result.bytes));
  }

  constexpr uint64_t flagBytes = 64 << 10;
  std::vector<std::byte> flags(flagBytes);
  uint64_t workspace = memory.allocate(workspaceBytes, MemoryTag::Workspace), flagAddress = memory.allocate(flagBytes);
  uint64_t statusAddress = memory.allocate(4), tasks = 0;
  status = 0;
  MOERT_TRY(memory.write(flagAddress, flags));
  MOERT_TRY(memory.write(statusAddress, std::as_bytes(std::span(&status, 1))));
  SmallVector<uint64_t> values = buffers;
  values.append(scalars);
  values.append({workspace, flagAddress, statusAddress, tasks});
  std::vector<const void *> arguments;
  for (uint64_t &value : values)
    arguments.push_back(&value);
  report = {};
  if (blocks > 0) {
    moert::emu::LaunchShape launch{{static_cast<uint32_t>(blocks), 1, 1}, {threads, 1, 1}, sharedBytes};
    moert::emu::LaunchOptions seeded = options;
    seeded.seed = seed;
    MOERT_TRY(emulator.launch(*code.findKernel(entry), launch, arguments, seeded, report));
  }
  for (auto [result, buffer] : llvm::zip_equal(results, ArrayRef(buffers).take_back(results.size())))
    MOERT_TRY(memory.read(buffer, result.bytes));
  MOERT_TRY(memory.read(statusAddress, std::as_writable_bytes(std::span(&status, 1))));
  MOERT_TRY(memory.read(flagAddress, flags));
  if (llvm::any_of(flags, [](std::byte flag) { return flag != std::byte(0); }))
    return moert::failure(MOERT_RUN_FAILED, "the kernel leaves flags set");
  return moert::Status::success();
}

moert::Status GpuKernelRunner::run(ArrayRef<GpuOperand> inputs, uint64_t seed, SmallVectorImpl<int64_t> &shape,
                                   std::vector<std::byte> &result, uint32_t &status) {
  SmallVector<GpuResult> results;
  MOERT_TRY(run(inputs, seed, results, status));
  shape = results[0].shape;
  result = std::move(results[0].bytes);
  return moert::Status::success();
}

moert::Status GpuKernelRunner::run(ArrayRef<HostTensor> inputs, uint64_t seed, SmallVectorImpl<HostTensor> &results,
                                   uint32_t &status) {
  std::vector<std::vector<std::byte>> bytes;
  SmallVector<GpuOperand> operands;
  for (const HostTensor &input : inputs) {
    bytes.push_back(toBytes(input));
    operands.push_back({SmallVector<int64_t>(input.getShape()), bytes.back()});
  }
  SmallVector<GpuResult> outputs;
  MOERT_TRY(run(operands, seed, outputs, status));
  auto main = module->lookupSymbol<func::FuncOp>("main");
  results.clear();
  for (auto [type, output] : llvm::zip_equal(main.getResultTypes(), outputs))
    results.push_back(fromBytes(cast<ShapedType>(type).getElementType(), output.shape, output.bytes));
  return moert::Status::success();
}

moert::Status GpuKernelRunner::run(ArrayRef<HostTensor> inputs, uint64_t seed, HostTensor &result, uint32_t &status) {
  SmallVector<HostTensor> results;
  MOERT_TRY(run(inputs, seed, results, status));
  result = results[0];
  return moert::Status::success();
}

AssemblerReport GpuKernelRunner::assemble(StringRef chip) const {
  AssemblerReport result;
  StringRef digits = chip.drop_until(llvm::isDigit);
  uint32_t capability = 0;
  digits.getAsInteger(10, capability);
  std::optional<GpuCubin> cubin = assemblePtx(findPtxAssembler(), ptx, capability, result.log);
  result.assembled = cubin.has_value();
  if (cubin)
    result.cubin.assign(cubin->bytes.begin(), cubin->bytes.end());
  llvm::StringMap<GpuEntry> entries;
  entries[entry].name = entry;
  readAssemblerLog(result.log, entries);
  result.registers = entries[entry].registers;
  result.spillBytes = entries[entry].spillBytes;
  return result;
}
