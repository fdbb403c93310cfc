// Decodes and validates the tables inside the sections.
#pragma once
#include "artifact/artifact.h"

namespace moert {

// Fills everything but the container, which must have been read. The step program is decoded, not yet checked.
Status readTables(Artifact &artifact);

} // namespace moert
