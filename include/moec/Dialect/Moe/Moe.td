//===- Moe.td - the moe dialect ----------------------------------*- tablegen -*-===//
#ifndef MOEC_DIALECT_MOE
#define MOEC_DIALECT_MOE

include "moec/Dialect/Moe/MoeDialect.td"
include "moec/Dialect/Moe/MoeAttributes.td"
include "moec/Dialect/Moe/MoeRoutingOps.td"
include "moec/Dialect/Moe/MoeExpertOps.td"
include "moec/Dialect/Moe/MoeWeightOps.td"

#endif
