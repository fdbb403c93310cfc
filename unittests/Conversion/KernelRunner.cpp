//===- KernelRunner.cpp - compiles and runs one kernel op in process --------===//

#include "KernelRunner.h"

#include "moec/Conversion/Kernels.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/KernelInterface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"

#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::test;

static const char *const loweringPipeline =
    "func.func(canonicalize,cse,arith-expand{include-bf16=true}),convert-scf-to-cf,convert-math-to-llvm,"
    "convert-math-to-libm,convert-vector-to-llvm,expand-strided-metadata,lower-affine,finalize-memref-to-llvm,convert-arith-to-llvm,convert-index-to-llvm,"
    "convert-cf-to-llvm,convert-func-to-llvm,reconcile-unrealized-casts";

int64_t Buffer::count() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<int64_t>());
}

/// How a kernel gets an operand: a memref for a tensor, scalars as they are.
static Type argumentTypeOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? MemRefType::get(tensor.getShape(), tensor.getElementType()) : type;
}

namespace {

/// Builds the functions @kernel, @tasks, @work and @scratch of a kernel op beside its function on tensors.
class KernelFunctions {
public:
  KernelFunctions(ModuleOp module, step::KernelOpInterface op, Machine machine)
      : module(module), op(op), machine(machine), builder(op->getContext()), loc(op->getLoc()) {
    for (Type type : llvm::concat<Type>(llvm::to_vector(op->getOperandTypes()), llvm::to_vector(op->getResultTypes())))
      types.push_back(argumentTypeOf(type));
  }

  LogicalResult build() {
    buildHostFunction("tasks", [&](OpBuilder &host) { return op.buildTaskCount(host, loc); });
    buildHostFunction("work", [&](OpBuilder &host) { return op.buildWork(host, loc); });
    buildHostFunction("scratch", [&](OpBuilder &host) {
      Value bytes = op.buildScratchBytes(host, loc);
      return bytes ? bytes : Value(arith::ConstantIndexOp::create(host, loc, 0));
    });
    return buildKernel();
  }

private:
  func::FuncOp startFunction(StringRef name, TypeRange arguments, TypeRange results) {
    builder.setInsertionPointToEnd(module.getBody());
    auto function = func::FuncOp::create(builder, loc, name, builder.getFunctionType(arguments, results));
    function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(), builder.getUnitAttr());
    builder.setInsertionPointToStart(function.addEntryBlock());
    return function;
  }

  /// Lets `build` emit on tensors, then repeats what it emitted on memrefs.
  void buildHostFunction(StringRef name, llvm::function_ref<Value(OpBuilder &)> build) {
    OpBuilder host(op);
    Operation *previous = op->getPrevNode();
    Value result = build(host);
    auto function = startFunction(name, types, builder.getIndexType());
    IRMapping mapping;
    for (auto [operand, argument] : llvm::zip(op->getOperands(), function.getArguments()))
      mapping.map(operand, argument);
    Operation *first = previous ? previous->getNextNode() : &op->getBlock()->front();
    for (Operation *emitted = first; emitted != op; emitted = emitted->getNextNode()) {
      if (auto dim = dyn_cast<tensor::DimOp>(emitted))
        mapping.map(dim.getResult(), memref::DimOp::create(builder, loc, mapping.lookup(dim.getSource()),
                                                           mapping.lookup(dim.getIndex()))
                                         .getResult());
      else
        builder.clone(*emitted, mapping);
    }
    func::ReturnOp::create(builder, loc, mapping.lookup(result));
  }

  LogicalResult buildKernel() {
    SmallVector<Type> arguments(types);
    arguments.push_back(MemRefType::get(ShapedType::kDynamic, builder.getI8Type()));
    arguments.push_back(MemRefType::get({}, builder.getI32Type()));
    arguments.append(2, builder.getIndexType());
    auto function = startFunction("kernel", arguments, {});
    auto values = function.getArguments();
    unsigned operands = op->getNumOperands(), buffers = types.size();
    IRMapping nothingCaptured;
    step::KernelContext context;
    context.arguments = &nothingCaptured;
    context.vectorLanes = machine.lanes;
    context.vectorRegisters = machine.registers;
    context.scratch = values[buffers];
    context.status = values[buffers + 1];
    if (failed(op.emitTasks(builder, loc, context, values.take_front(operands),
                            values.slice(operands, buffers - operands), values[buffers + 2], values[buffers + 3])))
      return failure();
    func::ReturnOp::create(builder, loc);
    return success();
  }

  ModuleOp module;
  step::KernelOpInterface op;
  Machine machine;
  OpBuilder builder;
  Location loc;
  SmallVector<Type> types;
};

/// A memref descriptor of a dense buffer, in the layout of the C interface; or a scalar, passed as it is.
class Descriptor {
public:
  Descriptor(void *data, ArrayRef<int64_t> shape) : words(3 + 2 * shape.size()) {
    words[0] = words[1] = reinterpret_cast<int64_t>(data);
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      words[3 + i] = shape[i];
      words[3 + shape.size() + i] = stride;
      stride *= shape[i];
    }
    pointer = words.data();
  }
  explicit Descriptor(void *scalar) : value(scalar) {}
  Descriptor(const Descriptor &) = delete;
  void *argument() { return value ? value : &pointer; }

private:
  std::vector<int64_t> words;
  int64_t *pointer = nullptr;
  void *value = nullptr;
};

} // namespace

std::unique_ptr<MLIRContext> moec::test::makeKernelContext() {
  static bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    registerAllPasses();
    return true;
  }();
  (void)initialized;
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerAllToLLVMIRTranslations(registry);
  registry.insert<moe::MoeDialect, nn::NnDialect>();
  registerLinalgKernels(registry);
  registerMoeKernels(registry);
  registerNnKernels(registry);
  registerTensorKernels(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  context->loadDialect<func::FuncDialect, tensor::TensorDialect, moe::MoeDialect, nn::NnDialect>();
  return context;
}

CompiledKernel::CompiledKernel(MLIRContext &context, StringRef text, Machine machine) {
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module)
    return;
  auto source = *module->getOps<func::FuncOp>().begin();
  step::KernelOpInterface op;
  source.walk([&](step::KernelOpInterface found) { op = found; });
  if (!op || failed(KernelFunctions(*module, op, machine).build()))
    return;
  source.erase();

  PassManager passes(&context);
  if (failed(parsePassPipeline(loweringPipeline, passes)) || failed(passes.run(*module)))
    return;

  auto target = llvm::orc::JITTargetMachineBuilder::detectHost();
  auto targetMachine = llvm::cantFail(llvm::cantFail(std::move(target)).createTargetMachine());
  ExecutionEngineOptions options;
  auto optimize = makeOptimizingTransformer(3, 0, targetMachine.get());
  options.transformer = optimize;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Aggressive;
  engine = llvm::cantFail(ExecutionEngine::create(*module, options, std::move(targetMachine)));
}

static std::vector<std::unique_ptr<Descriptor>> describe(std::vector<Buffer> &buffers) {
  std::vector<std::unique_ptr<Descriptor>> descriptors;
  for (Buffer &buffer : buffers)
    descriptors.push_back(buffer.isScalar ? std::make_unique<Descriptor>(buffer.bytes.data())
                                          : std::make_unique<Descriptor>(buffer.bytes.data(), buffer.shape));
  return descriptors;
}

int64_t CompiledKernel::callGrid(StringRef function, std::vector<Buffer> &buffers) {
  auto descriptors = describe(buffers);
  SmallVector<void *> arguments;
  for (auto &descriptor : descriptors)
    arguments.push_back(descriptor->argument());
  int64_t result = 0;
  arguments.push_back(&result);
  llvm::cantFail(engine->invokePacked(("_mlir_ciface_" + function).str(), arguments));
  return result;
}

int64_t CompiledKernel::taskCount(std::vector<Buffer> &buffers) { return callGrid("tasks", buffers); }

int32_t CompiledKernel::run(std::vector<Buffer> &buffers, int64_t begin, int64_t end) {
  scratch.resize(callGrid("scratch", buffers) + 64);
  char *aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64) % 64;
  int32_t status = 0;
  auto descriptors = describe(buffers);
  descriptors.push_back(std::make_unique<Descriptor>(aligned, ArrayRef<int64_t>(int64_t(scratch.size() - 64))));
  descriptors.push_back(std::make_unique<Descriptor>(&status, ArrayRef<int64_t>()));
  SmallVector<void *> arguments;
  for (auto &descriptor : descriptors)
    arguments.push_back(descriptor->argument());
  arguments.push_back(&begin);
  arguments.push_back(&end);
  llvm::cantFail(engine->invokePacked("_mlir_ciface_kernel", arguments));
  return status;
}

int32_t CompiledKernel::runAll(std::vector<Buffer> &buffers, int64_t tasksPerCall) {
  int64_t tasks = taskCount(buffers);
  int64_t step = tasksPerCall ? tasksPerCall : std::max<int64_t>(tasks, 1);
  int32_t status = 0;
  for (int64_t begin = 0; begin < tasks; begin += step)
    status |= run(buffers, begin, std::min(begin + step, tasks));
  return status;
}
