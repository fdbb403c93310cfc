//===- NnIndexingOps.td - gather, scatter, top-k, scan -----------*- tablegen -*-===//
#ifndef MOEC_DIALECT_NN_INDEXINGOPS
#define MOEC_DIALECT_NN_INDEXINGOPS

include "moec/Dialect/Nn/NnDialect.td"

def Nn_Reduction : I32EnumAttr<"ScatterReduction", "how a scattered value meets the one in place", [
    I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Add", 1, "add">, I32EnumAttrCase<"Mul", 2, "mul">,
    I32EnumAttrCase<"Max", 3, "max">, I32EnumAttrCase<"Min", 4, "min">]> {
  let cppNamespace = "::moec::nn";
}

def Nn_GatherOp : Nn_Op<"gather"> {
  let summary = "out[i…, j…, l…] = data[i…, indices[j…], l…] along an axis";
  let description = [{
    Negative indices count from the end; others out of range are a run-time error.
    - C1: 0 <= axis < rank(data); indices is i32 or i64 of any rank.
    - C2: the result's shape is data[:axis] ++ indices.shape ++ data[axis+1:], its type data's.
  }];
  let arguments = (ins AnyRankedTensor:$data, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$data `[` $indices `]` `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Nn_GatherElementsOp : Nn_Op<"gather_elements"> {
  let summary = "out[i…] = data[i… with indices[i…] at the axis]";
  let description = [{
    Negative indices count from the end; others out of range are a run-time error.
    - C1: ranks of data and indices agree; 0 <= axis < rank; off the axis, extents of indices are at most those of data;
      indices is i32 or i64.
    - C2: the result has the shape of indices and data's element type.
  }];
  let arguments = (ins AnyRankedTensor:$data, AnyRankedTensor:$indices, I64Attr:$axis);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$data `[` $indices `]` `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Nn_GatherNdOp : Nn_Op<"gather_nd"> {
  let summary = "gathers slices addressed by index tuples";
  let description = [{
    With b = batch_dims and n the last extent of indices: out[i…, :] = data[i[:b], indices[i…, 0..n), :].
    Negative indices count from the end; others out of range are a run-time error.
    - C1: n is static, b + n <= rank(data), b < rank(indices); data and indices agree in the first b extents; indices is
      i32 or i64.
    - C2: the result's shape is indices.shape[:-1] ++ data.shape[b+n:], its type data's.
  }];
  let arguments = (ins AnyRankedTensor:$data, AnyRankedTensor:$indices, I64Attr:$batch_dims);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$data `[` $indices `]` `batch` $batch_dims attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Nn_ScatterElementsOp : Nn_Op<"scatter_elements"> {
  let summary = "a copy of data with updates written along an axis";
  let description = [{
    out = data; then for all i of indices in row-major order out[i… with indices[i…] at the axis] is reduced with
    updates[i…]. Negative indices count from the end; others out of range are a run-time error.
    - C1: equal ranks; 0 <= axis < rank; off the axis, extents of indices are at most those of data; indices is i32 or
      i64; indices and updates have one shape, data and updates one element type; i1 has reduction none.
    - C2: the result has data's type.
  }];
  let arguments = (ins AnyRankedTensor:$data, AnyRankedTensor:$indices, AnyRankedTensor:$updates, I64Attr:$axis,
      Nn_Reduction:$reduction);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $updates `into` $data `[` $indices `]` `axis` $axis $reduction attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nn_ScatterNdOp : Nn_Op<"scatter_nd"> {
  let summary = "a copy of data with slices written at index tuples";
  let description = [{
    out = data; then for all i of indices.shape[:-1] in row-major order the slice out[indices[i…, 0..n), :] is reduced
    with updates[i…, :]. Negative indices count from the end; others out of range are a run-time error.
    - C1: n, the last extent of indices, is static and n <= rank(data); indices is i32 or i64; i1 has reduction none.
    - C2: updates has shape indices.shape[:-1] ++ data.shape[n:] and data's element type.
    - C3: the result has data's type.
  }];
  let arguments = (ins AnyRankedTensor:$data, AnyRankedTensor:$indices, AnyRankedTensor:$updates,
      Nn_Reduction:$reduction);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = [{
    $updates `into` $data `[` $indices `]` $reduction attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nn_TopKOp : Nn_Op<"top_k"> {
  let summary = "the k largest or smallest values along the last axis, and where they are";
  let description = [{
    Sorted by value, ties by ascending index; NaN ranks last. A `k` larger than the extent is a run-time error. Indices
    are i64.
    - C1: x has rank >= 1; k is an index.
    - C2: results have x's shape with the last extent k (dynamic, or static if k is constant).

    Canonicalisation makes the extent of a constant k static.
  }];
  let arguments = (ins AnyRankedTensor:$x, Index:$k, BoolAttr:$largest);
  let results = (outs AnyRankedTensor:$values, AnyRankedTensor:$indices);
  let assemblyFormat = "$x `,` $k `largest` $largest attr-dict `:` type($x) `->` type($values) `,` type($indices)";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Nn_CumSumOp : Nn_Op<"cumsum", [SameOperandsAndResultType]> {
  let summary = "running sums along an axis";
  let description = [{
    - C1: 0 <= axis < rank; the result has x's type.
  }];
  let arguments = (ins AnyRankedTensor:$x, I64Attr:$axis, BoolAttr:$exclusive, BoolAttr:$reverse);
  let results = (outs AnyRankedTensor:$out);
  let assemblyFormat = "$x `axis` $axis `exclusive` $exclusive `reverse` $reverse attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Nn_CountNonzeroOp : Nn_Op<"count_nonzero"> {
  let summary = "how many elements are not zero";
  let description = [{
    - C1: the result is tensor<1xi64>.
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$count);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($count)";
  let hasVerifier = 1;
}

def Nn_NonzeroOp : Nn_Op<"nonzero"> {
  let summary = "where the elements are that are not zero";
  let description = [{
    `count` is the value nn.count_nonzero gave for x. Column j of the result holds the indices of the j-th such
    element in row-major order.
    - C1: the result is tensor<rank x count x i64> with a static first extent.
  }];
  let arguments = (ins AnyRankedTensor:$x, Index:$count);
  let results = (outs AnyRankedTensor:$indices);
  let assemblyFormat = "$x `,` $count attr-dict `:` type($x) `->` type($indices)";
  let hasVerifier = 1;
}

#endif
