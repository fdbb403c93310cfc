//===- Onnx.td - one generic op for ONNX graphs ------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_ONNX
#define MOEC_DIALECT_ONNX

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Onnx_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::moec::onnx";
  let summary = "an ONNX graph as the importer reads it";
  let description = [{
    One generic op, `onnx.node`, carries operator, version and attributes; what an operator means is decided by the
    tables that lower or recognise it. Tensor element types are signless for signed integers and `uiN` for unsigned.

    A graph is a `func.func`. Its arguments and results carry `onnx.name` (string), `onnx.elem_type` (the value of
    TensorProto.DataType, i32) and `onnx.dims` (an array of strings, one per dimension: the symbol of a dynamic
    dimension, "" where it is static or unnamed). The module carries `onnx.opset` (version by domain), `onnx.ir_version`
    and `onnx.producer`.
  }];
}

class Onnx_Op<string mnemonic, list<Trait> traits = []> : Op<Onnx_Dialect, mnemonic, traits>;

def Onnx_NodeOp : Onnx_Op<"node"> {
  let summary = "one node of an ONNX graph";
  let description = [{
    `op_type` of `domain` in the version `version` (the since-version of the schema that applies, not the opset).
    An optional input that is not given is an `onnx.absent`; trailing absent inputs are dropped. A result that
    the model does not ask for has type `none`; trailing ones are dropped. `attrs` holds the
    node's attributes: i64, f32, string, dense i64 and f32 arrays, arrays of strings, dense tensors; attributes with
    a default value that are not given are not filled in. Graph attributes are regions, in the order of the names in
    `region_names`, ended by `onnx.yield`; they may use values from above. `dims` has one array per result: the symbols
    of its dimensions as in `onnx.dims`.

    ```mlir
    %v, %i = onnx.node "TopK"(%x, %k) {version = 11 : i64, attrs = {axis = -1 : i64}, name = "/topk"}
        : (tensor<?x8xf32>, tensor<1xi64>) -> (tensor<?x2xf32>, tensor<?x2xi64>)
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, StrAttr:$op_type, DefaultValuedAttr<StrAttr, "\"\"">:$domain,
      I64Attr:$version, DefaultValuedAttr<DictionaryAttr, "{}">:$attrs, OptionalAttr<StrAttr>:$name,
      OptionalAttr<ArrayAttr>:$dims, OptionalAttr<StrArrayAttr>:$region_names);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region VariadicRegion<AnyRegion>:$bodies);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether this is `opType` of the default domain (or of `inDomain`).
    bool is(::llvm::StringRef opType, ::llvm::StringRef inDomain = "") {
      return getOpType() == opType && getDomain() == inDomain;
    }
    /// The input `index`, or null if it is absent or beyond the inputs given.
    ::mlir::Value getInput(unsigned index);
    /// The attribute, or null if it is not given.
    ::mlir::Attribute getNodeAttr(::llvm::StringRef attrName) { return getAttrs().get(attrName); }
    int64_t getInt(::llvm::StringRef attrName, int64_t defaultValue);
    float getFloat(::llvm::StringRef attrName, float defaultValue);
    ::llvm::StringRef getString(::llvm::StringRef attrName, ::llvm::StringRef defaultValue);
    /// The integers of an `ints` attribute; nullopt if it is not given.
    std::optional<::llvm::SmallVector<int64_t>> getInts(::llvm::StringRef attrName);
  }];
}

def Onnx_ConstantOp : Onnx_Op<"constant", [Pure, ConstantLike]> {
  let summary = "a constant tensor small enough to live in the IR";
  let description = [{
    Integer tensors that may feed shapes and tensors of at most 1 KiB; everything else is a `moe.weight`.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasFolder = 1;
  let builders = [OpBuilder<(ins "::mlir::ElementsAttr":$value), [{
    build($_builder, $_state, value.getShapedType(), value);
  }]>];
}

def Onnx_AbsentOp : Onnx_Op<"absent", [Pure]> {
  let summary = "stands for an optional input that is not given";
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, $_builder.getNoneType()); }]>];
}

def Onnx_YieldOp : Onnx_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a subgraph";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

#endif
