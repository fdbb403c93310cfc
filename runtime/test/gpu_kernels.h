// Small kernels in PTX, and programs that launch them.
#pragma once
#include "artifact_builder.h"

namespace moert::test {

// An entry with the parameters of a kernel of so many buffers and scalars, each loaded to %in0, %in1, ...; behind those
// follow %workspace, %flags, %status and %tasks. %thread is the number of the thread in the grid.
std::string makeEntry(std::string_view name, uint32_t buffers, uint32_t scalars, std::string_view body);
std::string makeModule(const std::vector<std::string> &entries);

// c = a + b on f32[n], one thread an element.
ArtifactBuilder makeVectorAdd();
// y = table[index] on f32[rows] and i64[n]; an index outside is reported.
ArtifactBuilder makeGather(int64_t rows);
// One launch of the kernel `body`, without scalars, in one block of 32 threads, on buffers weight w f32[32], which is
// 1, and output y f32[32].
ArtifactBuilder makeSingleLaunch(std::string_view body, uint32_t workspaceBytes = 0);

} // namespace moert::test
