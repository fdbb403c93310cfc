//===- GpuEntry.cpp - entry points of GPU kernels ---------------------------===//

#include "GpuEntry.h"
#include "KernelBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace moec;

namespace {

/// Alignments of the device memory that a launch gets.
constexpr int64_t kBufferAlignment = 256;
constexpr int64_t kFlagCount = 16384;

/// Appends parameters to the entry's type, then builds from each what it stands for.
class EntryBuilder {
public:
  EntryBuilder(OpBuilder &builder, step::KernelOp kernel)
      : builder(builder), loc(kernel.getLoc()), kernel(kernel), i64(builder.getI64Type()),
        generic(LLVM::LLVMPointerType::get(builder.getContext())),
        global(LLVM::LLVMPointerType::get(builder.getContext(), /*addressSpace=*/1)) {}

  GpuEntry build(const step::GpuLaunchShape &shape) {
    SmallVector<Type> types = llvm::map_to_vector(kernel.getArgumentTypes(), getBufferType);
    size_t inputCount = types.size();
    llvm::append_range(types, llvm::map_range(kernel.getYieldedTypes(), getBufferType));

    size_t buffers = llvm::count_if(types, llvm::IsaPred<MemRefType>);
    size_t inputBuffers = llvm::count_if(ArrayRef(types).take_front(inputCount), llvm::IsaPred<MemRefType>);
    size_t scalars = 0;
    for (Type type : types)
      scalars += isa<MemRefType>(type) ? cast<MemRefType>(type).getNumDynamicDims() : 1;
    createFunction(buffers, inputBuffers, scalars, shape);

    GpuEntry entry{.function = function};
    ValueRange parameters = function.getArguments().take_front(function.getNumArguments());
    nextBuffer = parameters.take_front(buffers);
    nextScalar = parameters.drop_front(buffers).take_front(scalars);
    for (Type type : types)
      entry.values.push_back(build(type));
    ValueRange rest = parameters.drop_front(buffers + scalars);
    auto i8 = builder.getI8Type(), i32 = builder.getI32Type();
    Value unbounded = constant(std::numeric_limits<int64_t>::max());
    entry.workspace = buildMemref(MemRefType::get(ShapedType::kDynamic, i8), rest[0], unbounded);
    entry.flags = buildMemref(MemRefType::get(kFlagCount, i32), rest[1], constant(kFlagCount));
    entry.status = buildMemref(MemRefType::get({}, i32), rest[2], {});
    entry.taskCount = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), rest[3]);
    return entry;
  }

private:
  void createFunction(size_t buffers, size_t inputBuffers, size_t scalars, const step::GpuLaunchShape &shape) {
    SmallVector<Type> parameters(buffers, global);
    parameters.append(scalars, i64);
    parameters.append({global, global, global, i64});
    function = gpu::GPUFuncOp::create(builder, loc, kernel.getSymName(), builder.getFunctionType(parameters, {}));
    function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), builder.getUnitAttr());
    function.setKnownBlockSize(ArrayRef<int32_t>{static_cast<int32_t>(shape.threads), 1, 1});
    // Without a number of blocks ptxas may prefer spills over registers.
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), builder.getI32IntegerAttr(shape.blocksPerProcessor));
    function->setAttr("moe.launch", step::getLaunchAttr(builder.getContext(), shape));
    for (size_t index = 0; index < buffers + scalars + 3; ++index) {
      if (parameters[index] != global)
        continue;
      function.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
      bool isStatus = index == buffers + scalars + 2;
      function.setArgAttr(index, LLVM::LLVMDialect::getAlignAttrName(),
                          builder.getI64IntegerAttr(isStatus ? sizeof(int32_t) : kBufferAlignment));
      if (index < inputBuffers)
        function.setArgAttr(index, LLVM::LLVMDialect::getReadonlyAttrName(), builder.getUnitAttr());
    }
    Block &body = function.getBody().front();
    builder.setInsertionPointToEnd(&body);
    builder.setInsertionPoint(gpu::ReturnOp::create(builder, loc));
  }

  Value constant(int64_t value) { return LLVM::ConstantOp::create(builder, loc, i64, value); }

  Value takeScalar() {
    Value scalar = nextScalar.front();
    nextScalar = nextScalar.drop_front();
    return scalar;
  }

  Value build(Type type) {
    if (auto memref = dyn_cast<MemRefType>(type)) {
      Value data = nextBuffer.front();
      nextBuffer = nextBuffer.drop_front();
      SmallVector<Value> sizes;
      for (int64_t extent : memref.getShape())
        sizes.push_back(ShapedType::isDynamic(extent) ? takeScalar() : constant(extent));
      return buildMemref(memref, data, sizes);
    }
    Value value = takeScalar();
    if (type.isIndex())
      return arith::IndexCastOp::create(builder, loc, type, value);
    auto bits = builder.getIntegerType(type.getIntOrFloatBitWidth());
    if (bits.getWidth() < 64)
      value = arith::TruncIOp::create(builder, loc, bits, value);
    return type == bits ? value : arith::BitcastOp::create(builder, loc, type, value).getResult();
  }

  /// A dense memref, by way of the descriptor that it becomes in the LLVM dialect.
  Value buildMemref(MemRefType type, Value data, ValueRange sizes) {
    SmallVector<Type> fields = {generic, generic, i64};
    if (type.getRank() > 0)
      fields.append(2, LLVM::LLVMArrayType::get(i64, type.getRank()));
    auto structType = LLVM::LLVMStructType::getLiteral(builder.getContext(), fields);
    Value descriptor = LLVM::PoisonOp::create(builder, loc, structType);
    auto insert = [&](Value value, ArrayRef<int64_t> position) {
      descriptor = LLVM::InsertValueOp::create(builder, loc, descriptor, value, position);
    };
    Value pointer = LLVM::AddrSpaceCastOp::create(builder, loc, generic, data);
    insert(pointer, 0);
    insert(pointer, 1);
    insert(constant(0), 2);
    Value stride = constant(1);
    for (int64_t axis = type.getRank() - 1; axis >= 0; --axis) {
      insert(sizes[axis], {3, axis});
      insert(stride, {4, axis});
      if (axis > 0)
        stride = LLVM::MulOp::create(builder, loc, stride, sizes[axis]);
    }
    return UnrealizedConversionCastOp::create(builder, loc, type, descriptor).getResult(0);
  }

  OpBuilder &builder;
  Location loc;
  step::KernelOp kernel;
  Type i64, generic, global;
  gpu::GPUFuncOp function;
  ValueRange nextBuffer, nextScalar;
};

} // namespace

GpuEntry moec::createGpuEntry(OpBuilder &builder, step::KernelOp kernel, const step::GpuLaunchShape &shape) {
  return EntryBuilder(builder, kernel).build(shape);
}
