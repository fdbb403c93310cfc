//===- MoeRoutingOps.td - routing and grouping -------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_MOE_ROUTINGOPS
#define MOEC_DIALECT_MOE_ROUTINGOPS

include "moec/Dialect/Moe/MoeDialect.td"
include "moec/Dialect/Moe/MoeAttributes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def Moe_RouteOp : Moe_Op<"route", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "selects experts for each token and computes their gates";
  let description = [{
    `logits` `[T, E]`; `bias` `[E]` is added for selection only; `mix` `[T, E]` supplies the gates in place of the scores.
    Results: experts `[T, K]` i32 and gates `[T, K]` f32 with K = router.k. The arithmetic is f32.
    - C1: logits has rank 2 and a float element type; its second extent E is static.
    - C2: 1 <= k <= E.
    - C3: bias has shape [E]; mix has the shape of logits and is not given where `over` is `selected`; both are float.
    - C4: groups divides E; k experts fit into the kept groups; top2_sum has groups of at least 2. (The router itself
      requires kept_groups <= groups, and both 1 unless select is group_limited.)
    - C5: results are tensor<TxKxi32> and tensor<TxKxf32>.
    - C6: there is no bias where select is top_p, whose sums are of scores, and neither bias nor mix where it is
      sparse_mixer.
    ```mlir
    %e, %g = moe.route %l router(<score = softmax, over = all, k = 2>)
        : tensor<?x8xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$logits, Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$mix,
      Moe_RouterAttr:$router);
  let results = (outs AnyRankedTensor:$experts, AnyRankedTensor:$gates);
  let assemblyFormat = [{
    $logits (`bias` $bias^ `:` type($bias))? (`mix` $mix^ `:` type($mix))? `router` `(` $router `)` attr-dict `:`
    type($logits) `->` type($experts) `,` type($gates)
  }];
  let hasVerifier = 1;
}

def Moe_LimitCapacityOp : Moe_Op<"limit_capacity", [Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "drops what is beyond the capacity of an expert";
  let description = [{
    `experts` `[B, T, K]`. Each of the B batches is counted by itself: first slot 0 of all its tokens in order, then
    slot 1, and so on. The first `capacity` rows of an expert keep it, the others get -1. What names no expert stays as
    it is.
    - C1: experts is tensor<BxTxKxi32>.
    - C2: `experts` E >= 1 and `capacity` >= 1.
    ```mlir
    %kept = moe.limit_capacity %e experts 8 capacity 24 : tensor<?x?x1xi32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$experts, I64Attr:$expert_count, I64Attr:$capacity);
  let results = (outs AnyRankedTensor:$kept);
  let assemblyFormat = "$experts `experts` $expert_count `capacity` $capacity attr-dict `:` type($experts)";
  let hasVerifier = 1;
}

def Moe_GroupOp : Moe_Op<"group", [Pure,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "sorts routed rows by expert";
  let description = [{
    Row r = t*K + j stands for slot j of token t. The rows of expert e, in ascending r (stable), get places
    offsets[e] … offsets[e+1]-1; `order[place]` is the row there and `inverse[row]` its place. Rows whose expert
    is -1 have inverse -1; places from offsets[E] on have order -1.
    - C1: experts is tensor<TxKxi32>, `experts` E >= 1. Ids outside [-1, E) are a run-time error.
    - C2: results are offsets tensor<(E+1)xi32>, order and inverse tensor<(T*K)xi32>.
  }];
  let arguments = (ins AnyRankedTensor:$experts, I64Attr:$expert_count);
  let results = (outs AnyRankedTensor:$offsets, AnyRankedTensor:$order, AnyRankedTensor:$inverse);
  let assemblyFormat = [{
    $experts `experts` $expert_count attr-dict `:` type($experts) `->` type($offsets) `,` type($order) `,`
    type($inverse)
  }];
  let hasVerifier = 1;
}

#endif
