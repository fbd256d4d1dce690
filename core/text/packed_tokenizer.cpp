// See packed_tokenizer.h.
#include "text/packed_tokenizer.h"

#include <stdexcept>
#include <utility>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "model/packed_file.h"
#include "text/tokenizer_state.h"

namespace retort::text {
namespace {

constexpr char json_name[] = "tokenizer.json";

template <class T>
model::PackedSection section_of(const char* name, const FlatTable<T>& table) {
  return {name, std::to_string(sizeof(T)) + " bytes each", std::as_bytes(table.values())};
}

/// Throws std::runtime_error where there is no such section.
template <class T>
FlatTable<T> table_of(const model::PackedFile& file, const char* name) {
  const std::span<const std::byte> bytes = file.find(name, std::to_string(sizeof(T)) + " bytes each");
  if (bytes.data() == nullptr || bytes.size() % sizeof(T) != 0)
    throw std::runtime_error("'" + file.path().string() + "': expected a table of " + name + ", found none");
  return FlatTable<T>(std::span(reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)));
}

/// The JSON without what the tables hold.
nlohmann::json rest_of(const std::filesystem::path& file) {
  nlohmann::json rest = host::read_json(file);
  rest["model"] = nlohmann::json::object();
  rest.erase("post_processor");
  return rest;
}

}  // namespace

std::vector<model::PackedSection> Tokenizer::State::sections() const {
  return {section_of("characters", texts.tables().characters),
          section_of("ends", texts.tables().ends),
          section_of("flags", texts.tables().flags),
          section_of("by_text", texts.tables().by_text),
          section_of("merges", merges.table()),
          section_of("piece_characters", whole_pieces.tables().characters),
          section_of("pieces", whole_pieces.tables().places)};
}

void Tokenizer::State::attach(std::shared_ptr<const model::PackedFile> file) {
  const FlatTable<char> text = table_of<char>(*file, "json");
  const std::string origin = file->path().string();
  const nlohmann::json document = host::parse_json({text.begin(), text.size()}, origin);
  const host::JsonCursor root(document, origin);
  read_parts(root.at("tokenizer"));
  texts = TokenTexts({table_of<char>(*file, "characters"), table_of<std::uint32_t>(*file, "ends"),
                      table_of<std::uint8_t>(*file, "flags"), table_of<TokenId>(*file, "by_text")});
  merges.attach(table_of<BpeMerges::Merge>(*file, "merges"), texts.size());
  whole_pieces.attach({table_of<char>(*file, "piece_characters"), table_of<WholePieces::Place>(*file, "pieces")},
                      texts.size());
  if (root.at("tokenizer").has("added_tokens")) {
    std::vector<AddedToken> added = added_tokens(root.at("tokenizer").at("added_tokens"));
    for (const AddedToken& token : added) {
      if (!texts.contains(token.id)) root.refuse("added tokens of the tables", "another");
      added_ids.emplace(token.content, token.id);
    }
    add_finders(std::move(added));
  }
  set_facts(root.at("facts"));
  packed = std::move(file);
}

std::unique_ptr<Tokenizer::State> Tokenizer::State::from_packed(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / packed_tokenizer_name;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return nullptr;
  try {
    auto file =
        std::make_shared<const model::PackedFile>(path, packed_tokenizer_form, std::vector<std::string>{json_name});
    auto state = std::make_unique<State>();
    state->source = std::make_shared<const model::MappedFile>(folder / json_name);
    state->attach(std::move(file));
    return state;
  } catch (const std::exception& misfit) {
    host::log_warning(std::string("the packed tokenizer is not used, `retort pack` makes it anew: ") + misfit.what());
    return nullptr;
  }
}

std::filesystem::path write_packed_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path json = folder / json_name, path = folder / packed_tokenizer_name;
  const std::vector<model::FileStamp> sources{model::stamp_of(json)};
  const Tokenizer tokenizer = Tokenizer::load(folder, Tokenizer::Source::json);
  const std::string text = nlohmann::json{{"tokenizer", rest_of(json)}, {"facts", tokenizer.state_->facts()}}.dump();
  std::vector<model::PackedSection> sections = tokenizer.state_->sections();
  sections.push_back({"json", "1 bytes each", std::as_bytes(std::span(text))});
  model::write_packed_file(path, packed_tokenizer_form, sources, sections);
  return path;
}

}  // namespace retort::text
