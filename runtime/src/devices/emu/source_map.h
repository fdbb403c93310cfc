// Which line of which source file an instruction comes from, as `.file` and `.loc` say.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace moert::emu {

class SourceMap {
public:
  void addFile(uint64_t number, std::string_view name) { files[number] = name; }
  // Instructions from this line of the PTX on; file 0: unknown.
  void addLocation(uint32_t line, uint64_t file, uint64_t row) { locations[line] = {file, row}; }
  // "line 12", or "line 12 (matmul.mlir:45)" if that is known.
  std::string describe(uint32_t line) const {
    std::string text = "line " + std::to_string(line);
    auto behind = locations.upper_bound(line);
    if (behind == locations.begin())
      return text;
    const auto &[file, row] = std::prev(behind)->second;
    const auto name = files.find(file);
    return name == files.end() ? text : text + " (" + name->second + ":" + std::to_string(row) + ")";
  }

private:
  std::map<uint64_t, std::string> files;
  std::map<uint32_t, std::pair<uint64_t, uint64_t>> locations; // by line of the PTX
};

} // namespace moert::emu
