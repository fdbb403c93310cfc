// Hexadecimal digits may be followed by white space.
#include "key_file.h"

#include "tool_error.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace moert::tools {

std::array<uint8_t, 32> readPublicKey(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file)
    throw ToolError("cannot read '" + path + "'");
  const std::string text = bytes.str();
  std::array<uint8_t, 32> key;
  if (text.size() == key.size()) {
    std::copy(text.begin(), text.end(), key.begin());
    return key;
  }
  const std::string digits = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  const bool isHex = std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (!isHex || digits.size() != 2 * key.size())
    throw ToolError("'" + path + "' is no public key: expected 32 bytes or 64 hexadecimal digits, found " +
                    std::to_string(text.size()) + " bytes");
  for (size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<uint8_t>(std::stoi(digits.substr(2 * i, 2), nullptr, 16));
  return key;
}

} // namespace moert::tools
