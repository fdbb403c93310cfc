//===- ShapeRefinement.cpp - placeholder until written -===//
