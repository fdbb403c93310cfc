//===- MoeAttributes.td - routers, activations, weight sources ---*- tablegen -*-===//
#ifndef MOEC_DIALECT_MOE_ATTRIBUTES
#define MOEC_DIALECT_MOE_ATTRIBUTES

include "moec/Dialect/Moe/MoeDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Moe_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::moec::moe";
  let genSpecializedAttr = 0;
}
class Moe_Attr<string name, string attrMnemonic> : AttrDef<Moe_Dialect, name> {
  let mnemonic = attrMnemonic;
}

/// A real number: an APFloat in double precision, written as a decimal literal or as its bits in hexadecimal.
class Moe_Real : AttrParameter<"::llvm::APFloat", "a real number"> {
  let comparator = "$_lhs.bitwiseIsEqual($_rhs)";
  let parser = "parseReal($_parser)";
  let printer = "printReal($_printer, $_self)";
}
class Moe_RealOr<string value> : Moe_Real {
  let defaultValue = value;
}

def Moe_Score : Moe_Enum<"Score", "what turns a logit into a score", [
  I32EnumAttrCase<"Softmax", 0, "softmax">, I32EnumAttrCase<"Sigmoid", 1, "sigmoid">,
  I32EnumAttrCase<"Identity", 2, "identity">, I32EnumAttrCase<"Relu", 3, "relu">]>;
def Moe_Over : Moe_Enum<"Over", "which experts the score function sees", [
  I32EnumAttrCase<"All", 0, "all">, I32EnumAttrCase<"Selected", 1, "selected">]>;
def Moe_Select : Moe_Enum<"Select", "how experts are chosen", [
  I32EnumAttrCase<"TopK", 0, "top_k">, I32EnumAttrCase<"GroupLimited", 1, "group_limited">,
  I32EnumAttrCase<"TopP", 2, "top_p">, I32EnumAttrCase<"Threshold", 3, "threshold">,
  I32EnumAttrCase<"SparseMixer", 4, "sparse_mixer">]>;
def Moe_GroupScore : Moe_Enum<"GroupScore", "the score of a group of experts", [
  I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Top2Sum", 1, "top2_sum">]>;
def Moe_Dropped : Moe_Enum<"Dropped", "the choice value of experts in groups that are not kept", [
  I32EnumAttrCase<"NegInf", 0, "neg_inf">, I32EnumAttrCase<"Zero", 1, "zero">]>;
def Moe_Renormalize : Moe_Enum<"Renormalize", "how the gates of a token are normalised", [
  I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"SumPlusEps", 1, "sum_plus_eps">,
  I32EnumAttrCase<"MaxEps", 2, "max_eps">]>;
def Moe_ActivationKind : Moe_Enum<"ActivationKind", "the activation of an expert", [
  I32EnumAttrCase<"Identity", 0, "identity">, I32EnumAttrCase<"Relu", 1, "relu">, I32EnumAttrCase<"Relu2", 2, "relu2">,
  I32EnumAttrCase<"Silu", 3, "silu">, I32EnumAttrCase<"Gelu", 4, "gelu">, I32EnumAttrCase<"GeluTanh", 5, "gelu_tanh">,
  I32EnumAttrCase<"Swiglu", 6, "swiglu">, I32EnumAttrCase<"Geglu", 7, "geglu">,
  I32EnumAttrCase<"GegluTanh", 8, "geglu_tanh">, I32EnumAttrCase<"Reglu", 9, "reglu">]>;
def Moe_GateLayout : Moe_Enum<"GateLayout", "where the gate and the linear rows of a gated activation are", [
  I32EnumAttrCase<"NotGated", 0, "none">, I32EnumAttrCase<"Separate", 1, "separate">,
  I32EnumAttrCase<"Concatenated", 2, "concatenated">, I32EnumAttrCase<"Interleaved", 3, "interleaved">,
  I32EnumAttrCase<"Panels", 4, "panels">]>;
def Moe_WeightOn : Moe_Enum<"WeightOn", "whether the gate multiplies an expert's output or its input", [
  I32EnumAttrCase<"Output", 0, "output">, I32EnumAttrCase<"Input", 1, "input">]>;
def Moe_EncodingKind : Moe_Enum<"EncodingKind", "how the bytes of a weight are laid out in the file", [
  I32EnumAttrCase<"Dense", 0, "dense">, I32EnumAttrCase<"Panels16", 1, "panels16">]>;

def Moe_RouterAttr : Moe_Attr<"Router", "router"> {
  let summary = "a router: scores, selection, gates";
  let description = [{
    With l the logits of a token: p = score(l) over all experts, or l itself where `over` is `selected`.
    c = p + bias. `top_k` takes the `k` largest c; ties go to the lowest index and NaN ranks last. `group_limited` first
    gives each of `groups` equal runs of experts a score (its largest c, or the sum of its two largest), keeps
    `kept_groups` of them and replaces c of the others by −inf or 0. `top_p` and `threshold` take the k largest c too,
    c_0 >= c_1 …, and leave slot j unused: `top_p` where (c_0 + … + c_j) − c_j >= `bound`, so that those before it reach
    the bound, and `threshold` where c_j <= `bound`. NaN is never left out. The gates are p of the selected experts (or
    of the `mix` operand if given), score(l) over the selected where `over` is `selected`; then divided by (sum + eps)
    or by max(sum, eps) if renormalised, then multiplied by `scale`. Unused slots have expert −1 and gate 0, and add
    nothing to the sum. Slots are ordered by descending c.

    `sparse_mixer` fills slot after slot: with m the largest logit that is left, the expert is the one that has it, and
    its gate is its part in a softmax over those left without the experts whose (m − l) / max(|l|, m) > `bound`. Then
    its logit becomes −inf. These gates are renormalised and scaled like all.

    What has no meaning is no router: `bound` belongs to the last three selections, and is positive for `top_p`, whose
    sums need a score, and not negative for `sparse_mixer`, which is a `softmax`. All three see all experts.
  }];
  let parameters = (ins "Score":$score, "Over":$over, "int64_t":$k,
    DefaultValuedParameter<"Select", "Select::TopK">:$select, DefaultValuedParameter<"int64_t", "1">:$groups,
    DefaultValuedParameter<"int64_t", "1">:$kept_groups,
    DefaultValuedParameter<"GroupScore", "GroupScore::Max">:$group_score,
    DefaultValuedParameter<"Dropped", "Dropped::NegInf">:$dropped,
    DefaultValuedParameter<"Renormalize", "Renormalize::None">:$renormalize,
    Moe_RealOr<"::llvm::APFloat(0.0)">:$eps,
    Moe_RealOr<"::llvm::APFloat(1.0)">:$scale,
    Moe_RealOr<"::llvm::APFloat(0.0)">:$bound);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether a token may have slots without an expert.
    bool leavesSlots() const { return getSelect() == Select::TopP || getSelect() == Select::Threshold; }
  }];
}

def Moe_ActivationAttr : Moe_Attr<"Activation", "activation"> {
  let summary = "the activation between an expert's two products";
  let description = [{
    Plain kinds apply to each value. Gated kinds take a gate value g and a linear value l, found by `layout`: `separate`
    from the first and third weight, `concatenated` and `interleaved` from the rows of the first, `panels` from
    alternating blocks of 16 (the stored form). With G = min(g, limit), L = clamp(l, −limit, limit):
    swiglu G * sigmoid(alpha * G) * (L + beta); geglu gelu(G) * (L + beta); geglu_tanh, reglu alike.
  }];
  let parameters = (ins "ActivationKind":$kind, DefaultValuedParameter<"GateLayout", "GateLayout::NotGated">:$layout,
    Moe_RealOr<"::llvm::APFloat(1.0)">:$alpha,
    Moe_RealOr<"::llvm::APFloat(0.0)">:$beta,
    Moe_RealOr<"::llvm::APFloat::getInf(::llvm::APFloat::IEEEdouble())">:$limit);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool isGated() const { return getKind() >= ActivationKind::Swiglu; }
  }];
}

def Moe_QuantizationAttr : Moe_Attr<"Quantization", "quantization"> {
  let summary = "the integers of a stored weight";
  let description = [{
    The weight is 32-bit words of 32 / `bits` consecutive values of a column. Value i of a word is its bits from
    bits * (i / 2) + 16 * (i % 2) on: even values in the low half, odd ones in the high half, so that neighbours are the
    halves of a register after one shift and mask. Values of `block` consecutive terms share a scale and a zero point;
    0 means one for the column.
  }];
  let parameters = (ins "int64_t":$bits, DefaultValuedParameter<"int64_t", "0">:$block);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getValuesPerWord() const { return 32 / getBits(); }
    /// Scales of a column of `inner` terms.
    int64_t getBlockCount(int64_t inner) const { return getBlock() == 0 ? 1 : ::llvm::divideCeil(inner, getBlock()); }
  }];
}

def Moe_WeightOnAttr : EnumAttr<Moe_Dialect, Moe_WeightOn, "weight_on"> {
  let assemblyFormat = "`<` $value `>`";
}

def Moe_FileAttr : Moe_Attr<"File", "file"> {
  let summary = "bytes of a file: the source of a weight";
  let parameters = (ins StringRefParameter<"path">:$path, "uint64_t":$offset, "uint64_t":$size);
  let assemblyFormat = "`<` $path `,` $offset `,` $size `>`";
}
def Moe_SplatAttr : Moe_Attr<"Splat", "splat"> {
  let summary = "one value for all elements";
  let parameters = (ins Moe_Real<>:$value);
  let assemblyFormat = "`<` $value `>`";
}
def Moe_RandomAttr : Moe_Attr<"Random", "random"> {
  let summary = "pseudo-random values in [-scale, scale], for tests";
  let parameters = (ins "uint64_t":$seed, Moe_Real<>:$scale);
  let assemblyFormat = "`<` $seed `,` $scale `>`";
}

#endif
