//===- StepProgramOps.td - the host program on slots -------------*- tablegen -*-===//
//
// One op per step of moert_artifact.h, which defines their meaning; arithmetic on registers is `arith` on i64.
//
#ifndef MOEC_DIALECT_STEP_PROGRAMOPS
#define MOEC_DIALECT_STEP_PROGRAMOPS

include "moec/Dialect/Step/StepDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Step_ProgramOp : Step_Op<"program", [IsolatedFromAbove]> {
  let summary = "the step program of an entry point";
  let description = [{
    `entry` is the function that carries the signature. The region's entry block has one slot argument per input and one per weight of `weights`. Blocks end in
    `step.return`, `cf.br` or `cf.cond_br`; values that cross a join are block arguments.
  }];
  let arguments = (ins FlatSymbolRefAttr:$entry, FlatSymbolRefArrayAttr:$weights, I64Attr:$input_count);
  let regions = (region AnyRegion:$body);
  let assemblyFormat = "$entry `inputs` $input_count `weights` $weights attr-dict-with-keyword $body";
}

def Step_ReturnOp : Step_Op<"return", [Terminator, HasParent<"ProgramOp">]> {
  let summary = "ends the program";
  let assemblyFormat = "attr-dict";
}

def Step_InputDimOp : Step_Op<"input_dim", [Pure]> {
  let summary = "an extent of an input";
  let arguments = (ins I64Attr:$input, I64Attr:$axis);
  let results = (outs I64:$result);
  let assemblyFormat = "$input $axis attr-dict";
}

def Step_AllocOp : Step_Op<"alloc"> {
  let summary = "takes memory of the session";
  let arguments = (ins I64:$bytes);
  let results = (outs Step_SlotType:$slot);
  let assemblyFormat = "$bytes attr-dict";
}

def Step_OutputOp : Step_Op<"output"> {
  let summary = "takes the memory of an output and states its extents";
  let arguments = (ins I64Attr:$index, Variadic<I64>:$dims);
  let results = (outs Step_SlotType:$slot);
  let assemblyFormat = "$index `(` $dims `)` attr-dict";
}

def Step_FreeOp : Step_Op<"free"> {
  let summary = "gives the memory of a slot back";
  let arguments = (ins Step_SlotType:$slot);
  let assemblyFormat = "$slot attr-dict";
}

def Step_AliasOp : Step_Op<"alias"> {
  let summary = "a slot that points into another one's buffer";
  let arguments = (ins Step_SlotType:$source, I64:$offset);
  let results = (outs Step_SlotType:$slot);
  let assemblyFormat = "$source `+` $offset attr-dict";
}

def Step_LoadOp : Step_Op<"load"> {
  let summary = "reads an element into a register";
  let arguments = (ins Step_SlotType:$slot, I64:$index, TypeAttr:$element_type);
  let results = (outs I64:$result);
  let assemblyFormat = "$slot `[` $index `]` `:` $element_type attr-dict";
}

def Step_StoreOp : Step_Op<"store"> {
  let summary = "writes a register to an element";
  let arguments = (ins I64:$value, Step_SlotType:$slot, I64:$index, TypeAttr:$element_type);
  let assemblyFormat = "$value `,` $slot `[` $index `]` `:` $element_type attr-dict";
}

def Step_CopyOp : Step_Op<"copy"> {
  let summary = "copies bytes between buffers";
  let arguments = (ins Step_SlotType:$destination, I64:$destination_offset, Step_SlotType:$source,
      I64:$source_offset, I64:$bytes);
  let assemblyFormat = [{
    $source `+` $source_offset `to` $destination `+` $destination_offset `bytes` $bytes attr-dict
  }];
}

def Step_LaunchOp : Step_Op<"launch", [AttrSizedOperandSegments]> {
  let summary = "dispatches a kernel on slots";
  let description = [{
    - C1: `gpu` has both, as in `step.dispatch`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Step_SlotType>:$slots, Variadic<I64>:$scalars, I64:$grid,
      I64:$work, I64:$scratch, Optional<I64>:$blocks, Optional<I64>:$workspace,
      DefaultValuedAttr<StrAttr, "\"\"">:$label);
  let assemblyFormat = [{
    $kernel `(` $slots `)` `scalars` `(` $scalars `)` `grid` $grid `work` $work `scratch` $scratch
    (`gpu` `(` $blocks^ (`,` $workspace^)? `)`)? (`label` $label^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Step_CheckOp : Step_Op<"check"> {
  let summary = "fails the run with a message unless the condition is non-zero";
  let arguments = (ins SignlessIntegerLike:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict `:` type($condition)";
}

def Step_StateBufferOp : Step_Op<"state_buffer", [Pure,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "the buffer of a state in place, as a tensor";
  let description = [{
    On tensors before the program is formed. `like` is the input of state `state`; the buffer has its extents and holds
    what it holds, but its extent along `axis` is `capacity` >= `length`. Afterwards the state is `length` long.
    - C1: the buffer has like's type, dynamic along axis.
  }];
  let arguments = (ins I64Attr:$state, I64Attr:$axis, AnyRankedTensor:$like, Index:$length);
  let results = (outs AnyRankedTensor:$buffer, Index:$capacity);
  let assemblyFormat = "$state `axis` $axis `like` $like `length` $length attr-dict `:` type($like) `->` type($buffer)";
  let hasVerifier = 1;
}

def Step_StateOp : Step_Op<"state"> {
  let summary = "the buffer of a state in place, with room for a number of positions";
  let arguments = (ins I64Attr:$state, I64:$length);
  let results = (outs Step_SlotType:$slot, I64:$capacity);
  let assemblyFormat = "$state `length` $length attr-dict";
}

def Step_RoutingOp : Step_Op<"routing"> {
  let summary = "reports the routing of an MoE layer";
  let description = [{Experts `[T,k]` i32, gates `[T,k]` f32, `tokens` = T. On tensors before the program is formed.}];
  let arguments = (ins I64Attr:$layer, AnyType:$experts, AnyType:$gates, AnyType:$tokens);
  let assemblyFormat = "$layer `experts` $experts `gates` $gates `tokens` $tokens attr-dict `:` type(operands)";
}

#endif
