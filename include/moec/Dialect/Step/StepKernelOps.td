//===- StepKernelOps.td - kernels and dispatch on tensors --------*- tablegen -*-===//
#ifndef MOEC_DIALECT_STEP_KERNELOPS
#define MOEC_DIALECT_STEP_KERNELOPS

include "moec/Dialect/Step/StepDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Step_KernelOp : Step_Op<"kernel", [IsolatedFromAbove, Symbol, SingleBlock, NoTerminator]> {
  let summary = "an outlined kernel";
  let description = [{
    The body holds the ops of one kernel on tensors, ended by `step.yield` of its results. Arguments are what a dispatch
    passes: tensors and scalars (index, integers, f32). Nothing inside refers to a symbol: weights, offsets and extents
    are arguments, so equal kernels of different layers are one.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$sym_visibility);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::TypeRange":$argumentTypes)>];
  let extraClassDeclaration = [{
    ::mlir::Block *getBodyBlock() { return &getBody().front(); }
    ::mlir::TypeRange getArgumentTypes() { return getBodyBlock()->getArgumentTypes(); }
    ::mlir::TypeRange getYieldedTypes();
  }];
  let hasVerifier = 1;
}

def Step_YieldOp : Step_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a kernel";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def Step_DispatchOp : Step_Op<"dispatch", [AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "runs a kernel over its grid";
  let description = [{
    `dims` are the dynamic extents of all results, in order. `label` names the node of the model for messages and
    traces.
    - C1: `inputs` have the types of the kernel's arguments, the results those it yields.
    - C2: one of `dims` for each dynamic dimension of the results.
    - C3: with `tied`, the only result has its type and takes over its buffer; the kernel does not see it.
    - C4: `gpu` has both: the thread blocks of a launch on a GPU, and the bytes of device memory it may use.
    ```mlir
    %0 = step.dispatch @k3(%x, %w) dims(%t) grid(%g) work(%n) scratch(%c0) label "/mlp/up"
        : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs, Optional<AnyRankedTensor>:$tied,
      Variadic<Index>:$dims, Index:$grid, Index:$work, Index:$scratch, Optional<Index>:$blocks,
      Optional<Index>:$workspace, DefaultValuedAttr<StrAttr, "\"\"">:$label);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` (`tied` $tied^ `:` type($tied))? `dims` `(` $dims `)` `grid` `(` $grid `)`
    `work` `(` $work `)` `scratch` `(` $scratch `)` (`gpu` `(` $blocks^ (`,` $workspace^)? `)`)? (`label` $label^)? attr-dict
    `:` functional-type($inputs, $outputs)
  }];
}

#endif
