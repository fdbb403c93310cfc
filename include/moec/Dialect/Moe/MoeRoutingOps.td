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
