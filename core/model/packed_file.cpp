// See packed_file.h.
#include "model/packed_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/hexadecimal.h"
#include "host/base/json.h"

namespace retort::model {
namespace {

constexpr std::string_view kMagic = "RETORTPK";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kSumAt = 16, kDescriptionAt = 48, kPage = 4096, kLine = 64;
constexpr std::size_t kMostDescription = std::size_t{64} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// 32 bytes of SHA-256 over the two numbers and the description.
std::string sum_of(std::string_view numbers, std::string_view description) {
  return host::from_hexadecimal(host::sha256(std::string(numbers) + std::string(description)));
}

std::string numbers_of(std::uint32_t version, std::uint32_t bytes) {
  std::string numbers(8, '\0');
  std::memcpy(numbers.data(), &version, 4);
  std::memcpy(numbers.data() + 4, &bytes, 4);
  return numbers;
}

nlohmann::json description_of(const std::string& form, const std::vector<FileStamp>& sources,
                              const std::vector<PackedSection>& sections) {
  nlohmann::json stamps = nlohmann::json::array(), list = nlohmann::json::array();
  for (const FileStamp& source : sources) stamps.push_back(to_json(source));
  for (const PackedSection& section : sections)
    list.push_back({{"name", section.name},
                    {"layout", section.layout},
                    {"offset", 0},
                    {"bytes", section.bytes.size()},
                    {"sha256", host::sha256(as_text(section.bytes))}});
  return {{"form", form}, {"bytes", 0}, {"sources", stamps}, {"sections", list}};
}

/// Sets offsets and size, whose digits are part of what stands before the sections: room for the longest is left.
std::size_t place_sections(nlohmann::json& description) {
  constexpr std::size_t kDigits = 20;
  const std::size_t longest = description.dump().size() + kDigits * (description["sections"].size() + 1);
  std::size_t place = round_up(kDescriptionAt + longest, kPage);
  for (nlohmann::json& section : description["sections"]) {
    section["offset"] = place;
    place = round_up(place + section["bytes"].get<std::size_t>(), kLine);
  }
  description["bytes"] = place;
  return place;
}

}  // namespace

PackedFile::PackedFile(const std::filesystem::path& path, const std::string& form,
                       const std::vector<std::string>& sources)
    : path_(path), file_(path) {
  try {
    read_description(form, sources);
  } catch (const nlohmann::json::exception& error) {
    refuse("a description", error.what());
  } catch (const std::invalid_argument& error) {
    refuse("a description", error.what());
  }
}

void PackedFile::refuse(const std::string& expected, const std::string& found) const {
  throw std::runtime_error("'" + path_.string() + "': expected " + expected + ", found " + found);
}

void PackedFile::read_description(const std::string& form, const std::vector<std::string>& sources) {
  const std::string_view all(reinterpret_cast<const char*>(file_.data()), file_.bytes());
  if (all.size() < kPage || !all.starts_with(kMagic)) refuse("a packed file", "something else, or the begin of one");
  std::uint32_t version = 0, length = 0;
  std::memcpy(&version, all.data() + 8, 4);
  std::memcpy(&length, all.data() + 12, 4);
  if (version != kVersion) refuse("version " + std::to_string(kVersion), "version " + std::to_string(version));
  if (length > kMostDescription || kDescriptionAt + length > all.size()) refuse("a description", "the file's end");
  const std::string_view text = all.substr(kDescriptionAt, length);
  if (sum_of(all.substr(8, 8), text) != all.substr(kSumAt, 32)) refuse("its description as it was written", "another");
  const nlohmann::json description = host::parse_json(text, path_.string());
  if (const auto found = description.at("form").get<std::string>(); found != form)
    refuse("\"" + form + "\"", "\"" + found + "\"");
  if (description.at("bytes").get<std::size_t>() != all.size())
    refuse(description.at("bytes").dump() + " bytes", std::to_string(all.size()));
  std::vector<std::string> names;
  for (const nlohmann::json& source : description.at("sources")) {
    const FileStamp stamp = file_stamp_from_json(source);
    names.push_back(stamp.name);
    if (std::find(sources.begin(), sources.end(), stamp.name) == sources.end()) continue;
    if (const std::string change = changed_since(stamp, path_.parent_path()); !change.empty())
      throw std::runtime_error("'" + path_.string() + "' was made of other files: " + change);
  }
  if (names != sources) throw std::runtime_error("'" + path_.string() + "' was made of other files");
  read_sections(description.at("sections"));
}

void PackedFile::read_sections(const nlohmann::json& sections) {
  for (const nlohmann::json& section : sections) {
    const auto offset = section.at("offset").get<std::size_t>(), bytes = section.at("bytes").get<std::size_t>();
    if (offset % kLine != 0 || offset > file_.bytes() || bytes > file_.bytes() - offset)
      refuse("sections within the file", section.dump());
    sections_[section.at("name").get<std::string>()] = {section.at("layout").get<std::string>(),
                                                        section.at("sha256").get<std::string>(),
                                                        {file_.data() + offset, bytes}};
  }
}

std::span<const std::byte> PackedFile::find(const std::string& name, const std::string& layout) const {
  const auto found = sections_.find(name);
  if (found == sections_.end() || found->second.layout != layout) return {};
  return found->second.bytes;
}

std::string PackedFile::damaged_section() const {
  for (const auto& [name, section] : sections_)
    if (host::sha256(as_text(section.bytes)) != section.sha256) return name;
  return "";
}

void write_packed_file(const std::filesystem::path& path, const std::string& form,
                       const std::vector<FileStamp>& sources, const std::vector<PackedSection>& sections) {
  std::set<std::string> names;
  for (const PackedSection& section : sections)
    if (!names.insert(section.name).second)
      throw std::invalid_argument("'" + path.string() + "': expected sections of different names, found \"" +
                                  section.name + "\" twice");
  nlohmann::json description = description_of(form, sources, sections);
  const std::size_t bytes = place_sections(description);
  const std::string text = description.dump();
  const std::string numbers = numbers_of(kVersion, static_cast<std::uint32_t>(text.size()));
  for (const FileStamp& source : sources)
    if (const std::string change = changed_since(source, path.parent_path()); !change.empty())
      throw std::runtime_error("cannot write '" + path.string() + "': a source changed meanwhile: " + change);
  host::write_file_atomically(path, [&](int descriptor) {
    std::size_t written = 0;
    const auto write = [&](std::string_view part) {
      host::write_all(descriptor, part.data(), part.size());
      written += part.size();
    };
    const auto fill = [&](std::size_t end) { write(std::string(end - written, '\0')); };
    write(std::string(kMagic) + numbers + sum_of(numbers, text) + text);
    for (std::size_t i = 0; i < sections.size(); ++i) {
      fill(description["sections"][i]["offset"].get<std::size_t>());
      write(as_text(sections[i].bytes));
    }
    fill(bytes);
  });
}

}  // namespace retort::model
