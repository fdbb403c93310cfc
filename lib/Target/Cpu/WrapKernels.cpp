//===- WrapKernels.cpp - entry points that the runtime calls ----------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "moec/Target/Cpu/Passes.h"

namespace moec {
#define GEN_PASS_DEF_WRAPKERNELS
#include "moec/Target/Cpu/Passes.h.inc"
} // namespace moec

using namespace mlir;

namespace {

/// Builds `name(buffers, scalars, scratch, begin, end)` around a kernel whose memrefs have become descriptors.
class EntryBuilder {
public:
  EntryBuilder(LLVM::LLVMFuncOp kernel, OpBuilder &builder)
      : kernel(kernel), builder(builder), loc(kernel.getLoc()), pointer(LLVM::LLVMPointerType::get(builder.getContext())),
        i64(builder.getI64Type()) {}

  void build() {
    auto types = kernel->getAttrOfType<ArrayAttr>("moe.argument_types");
    std::string name = kernel.getSymName().str();
    kernel.setSymName(name + ".tasks");
    kernel.setLinkage(LLVM::Linkage::Internal);
    kernel.setAlwaysInline(true);
    kernel->removeAttr("moe.argument_types");

    builder.setInsertionPointAfter(kernel);
    auto type = LLVM::LLVMFunctionType::get(builder.getI32Type(), {pointer, pointer, pointer, i64, i64});
    auto entry = LLVM::LLVMFuncOp::create(builder, loc, name, type);
    builder.setInsertionPointToStart(entry.addEntryBlock(builder));
    buffers = entry.getArgument(0);
    scalars = entry.getArgument(1);

    // The last three are the scratch memory and the range of tasks.
    ArrayRef<Attribute> passed = types.getValue().drop_back(3);
    for (Attribute attr : passed)
      pushArgument(cast<TypeAttr>(attr).getValue());
    pushMemref(cast<MemRefType>(cast<TypeAttr>(types[passed.size()]).getValue()), entry.getArgument(2),
               {constant(std::numeric_limits<int64_t>::max())}, /*noalias=*/true);
    arguments.push_back(entry.getArgument(3));
    arguments.push_back(entry.getArgument(4));
    auto call = LLVM::CallOp::create(builder, loc, kernel, arguments);
    LLVM::ReturnOp::create(builder, loc, call.getResult());
  }

private:
  Value constant(int64_t value) { return LLVM::ConstantOp::create(builder, loc, i64, value); }

  Value loadElement(Value array, Type element, int64_t index) {
    Value address = LLVM::GEPOp::create(builder, loc, pointer, element, array, ArrayRef<LLVM::GEPArg>{int32_t(index)});
    return LLVM::LoadOp::create(builder, loc, element, address);
  }

  Value nextScalar() { return loadElement(scalars, i64, scalarCount++); }

  void pushArgument(Type type) {
    if (auto memref = dyn_cast<MemRefType>(type)) {
      Value data = loadElement(buffers, pointer, bufferCount++);
      SmallVector<Value> sizes;
      for (int64_t extent : memref.getShape())
        sizes.push_back(ShapedType::isDynamic(extent) ? nextScalar() : constant(extent));
      pushMemref(memref, data, sizes, /*noalias=*/true);
      return;
    }
    Value value = nextScalar();
    if (type.isIndex() || type.isInteger(64)) {
      arguments.push_back(value);
      return;
    }
    auto bits = builder.getIntegerType(type.getIntOrFloatBitWidth());
    if (bits.getWidth() < 64)
      value = LLVM::TruncOp::create(builder, loc, bits, value);
    arguments.push_back(type == bits ? value : LLVM::BitcastOp::create(builder, loc, type, value).getResult());
  }

  /// The pieces of a dense descriptor: allocated pointer, aligned pointer, offset, sizes, strides.
  void pushMemref(MemRefType type, Value data, ArrayRef<Value> sizes, bool noalias) {
    if (noalias)
      kernel.setArgAttr(arguments.size() + 1, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
    arguments.append({data, data, constant(0)});
    llvm::append_range(arguments, sizes);
    SmallVector<Value> strides(sizes.size());
    Value stride = constant(1);
    for (int64_t axis = int64_t(sizes.size()) - 1; axis >= 0; --axis) {
      strides[axis] = stride;
      if (axis > 0)
        stride = LLVM::MulOp::create(builder, loc, stride, sizes[axis]);
    }
    llvm::append_range(arguments, strides);
  }

  LLVM::LLVMFuncOp kernel;
  OpBuilder &builder;
  Location loc;
  Type pointer, i64;
  Value buffers, scalars;
  SmallVector<Value> arguments;
  int64_t bufferCount = 0, scalarCount = 0;
};

struct WrapKernels : moec::impl::WrapKernelsBase<WrapKernels> {
  void runOnOperation() override {
    SmallVector<LLVM::LLVMFuncOp> kernels;
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (function->hasAttr("moe.argument_types"))
        kernels.push_back(function);
    OpBuilder builder(&getContext());
    for (LLVM::LLVMFuncOp kernel : kernels)
      EntryBuilder(kernel, builder).build();
  }
};

} // namespace
