//===- RouterText.cpp - a router in words -----------------------------------===//
#include "moec/Dialect/Moe/RouterText.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

std::string moec::moe::describeRouter(RouterAttr router) {
  std::string text;
  raw_string_ostream os(text);
  os << stringifyScore(router.getScore());
  if (router.getScore() != Score::Identity)
    os << " over " << stringifyOver(router.getOver());
  os << ", ";
  if (router.getSelect() == Select::GroupLimited)
    os << "best " << router.getKeptGroups() << " of " << router.getGroups() << " groups, ";
  os << "top " << router.getK();
  if (router.getRenormalize() != Renormalize::None)
    os << ", renormalised";
  if (!router.getScale().isExactlyValue(1.0)) {
    SmallString<16> scale;
    router.getScale().toString(scale, /*FormatPrecision=*/6);
    os << ", times " << scale;
  }
  return text;
}
