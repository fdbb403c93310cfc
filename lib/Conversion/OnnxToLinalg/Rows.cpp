//===- Rows.cpp - the tables of operators -------------------------------------===//

#include "Rows.h"

using namespace mlir;
using namespace moec;

static SmallVector<ArrayRef<Row>> families() {
  return {elementwiseRows(),  activationRows(), reductionRows(),   matmulRows(),    convRows(),
          poolRows(),         resizeRows(),     normRows(),        attentionRows(), shapeRows(),
          dataMovementRows(), indexingRows(),   quantizationRows(), randomRows()};
}

static std::string qualified(StringRef domain, StringRef opType) { return (domain + ":" + opType).str(); }

RowTable::RowTable() {
  for (ArrayRef<Row> family : families())
    for (const Row &row : family)
      rows[qualified(row.domain, row.opType)].push_back(&row);
  for (const ScalarRow &row : scalarRows())
    scalar[row.opType] = &row;
}

const Row *RowTable::find(StringRef domain, StringRef opType, int64_t version) const {
  auto found = rows.find(qualified(domain, opType));
  if (found == rows.end())
    return nullptr;
  for (const Row *row : found->second)
    if (row->since <= version && version <= row->until)
      return row;
  return nullptr;
}

const ScalarRow *RowTable::findScalar(StringRef domain, StringRef opType) const {
  return domain.empty() ? scalar.lookup(opType) : nullptr;
}
