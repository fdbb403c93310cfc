//===- Nn.td - the nn dialect ------------------------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_NN
#define MOEC_DIALECT_NN

include "moec/Dialect/Nn/NnDialect.td"
include "moec/Dialect/Nn/NnIndexingOps.td"
include "moec/Dialect/Nn/NnNormOps.td"
include "moec/Dialect/Nn/NnAttentionOps.td"

#endif
