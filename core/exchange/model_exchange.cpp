#include "exchange/model_exchange.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <stdexcept>

#include "exchange/folder_export.h"
#include "exchange/folder_source.h"
#include "exchange/gguf_export.h"
#include "exchange/gguf_source.h"
#include "exchange/llama2c_source.h"
#include "exchange/token_settings.h"
#include "exchange/vocabulary.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "model/file_kind.h"
#include "text/gguf_tokenizer.h"
#include "text/llama2c_tokenizer.h"

namespace retort::exchange {
namespace {

namespace fs = std::filesystem;

/// Without a final slash, so that a name can be made of it.
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

void refuse_existing(const fs::path& target) {
  if (fs::symlink_status(target).type() != fs::file_type::not_found)
    throw std::invalid_argument("'" + target.string() +
                                "': expected a name that is free, found something; remove it or choose another name");
  const fs::path parent = target.parent_path();
  if (!parent.empty() && !fs::is_directory(parent))
    throw std::invalid_argument("'" + target.string() + "': expected a folder '" + parent.string() +
                                "' to write into, found none; make it first");
}

/// A folder under a temporary name, which goes away unless it is published.
class NewFolder {
 public:
  explicit NewFolder(const fs::path& target)
      : target_(target), path_(target.string() + ".tmp-" + std::to_string(::getpid())) {
    fs::remove_all(path_);
    fs::create_directory(path_);
  }
  ~NewFolder() {
    std::error_code ignored;
    if (!published_) fs::remove_all(path_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  const fs::path& path() const { return path_; }
  void publish() {
    refuse_existing(target_);
    fs::rename(path_, target_);
    published_ = true;
    const fs::path parent = target_.parent_path();
    const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    ::fsync(folder);  // makes the rename durable
    ::close(folder);
  }

 private:
  fs::path target_, path_;
  bool published_ = false;
};

/// A checkpoint and what belongs to it, whatever its format. Owns the file that `weights` reads.
struct Checkpoint {
  std::unique_ptr<model::GgufFile> gguf;
  std::unique_ptr<model::Llama2cFile> llama2c;
  std::unique_ptr<WeightSource> weights;
};

Checkpoint open_checkpoint(const fs::path& source) {
  if (!fs::is_regular_file(source))
    throw std::invalid_argument("'" + source.string() + "': expected a GGUF file or a llama2.c checkpoint, found " +
                                (fs::is_directory(source) ? "a folder"
                                 : fs::exists(source)     ? "no file"
                                                          : "nothing"));
  Checkpoint checkpoint;
  if (model::is_gguf(source)) {
    checkpoint.gguf = std::make_unique<model::GgufFile>(source);
    checkpoint.weights = std::make_unique<GgufSource>(*checkpoint.gguf);
  } else {
    if (const auto kind = model::kind_of_file(source))
      throw std::invalid_argument("'" + source.string() + "': expected a GGUF file or a llama2.c checkpoint, found " +
                                  *kind);
    checkpoint.llama2c = std::make_unique<model::Llama2cFile>(source);
    checkpoint.weights = std::make_unique<Llama2cSource>(*checkpoint.llama2c);
  }
  return checkpoint;
}

/// run.c of llama2.c stops at token 1, which begins every text that the models were trained on.
TokenSettings llama2c_settings() {
  TokenSettings settings;
  settings.begin = 1;
  settings.ends = {2, 1};
  settings.unknown = 0;
  settings.add_begin = true;
  return settings;
}

void write_settings(const TokenSettings& settings, const std::vector<std::string>& tokens,
                    const model::ModelConfig& config, const fs::path& folder) {
  host::write_json(folder / "generation_config.json", generation_config(settings));
  host::write_json(folder / "tokenizer_config.json", tokenizer_config(settings, tokens, config.max_positions));
}

/// tokenizer.json, opened once as a check, and a note on rows without tokens.
void write_tokenizer(const std::string& json, const std::string& origin, const fs::path& folder,
                     ExchangeResult& result) {
  const text::Tokenizer tokenizer = text::Tokenizer::parse(json, origin);
  if (const auto note = padding_note(tokenizer.vocabulary_size(), result.config.vocabulary_size))
    result.notes.push_back(origin + ": " + *note);
  host::write_file_atomically(folder / "tokenizer.json", json);
}

void import_gguf_tokens(const model::GgufFile& file, bool with_tokenizer, const fs::path& folder,
                        ExchangeResult& result) {
  model::GgufMetadata metadata = file.metadata();
  if (const auto note = drop_tokens_without_rows(metadata, result.config.vocabulary_size))
    result.notes.push_back(file.origin() + ": " + *note);
  const TokenSettings settings = token_settings_from_gguf(metadata, result.config, file.origin());
  const auto found = metadata.find("tokenizer.ggml.tokens");
  const auto* tokens = found == metadata.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
  write_settings(settings, tokens != nullptr ? *tokens : std::vector<std::string>(), result.config, folder);
  if (!with_tokenizer) return;
  if (tokens != nullptr)
    write_tokenizer(text::tokenizer_json_from_gguf(metadata, file.origin()), file.origin(), folder, result);
  else
    result.notes.push_back(file.origin() + ": it has no tokenizer; put a tokenizer.json into the folder");
}

void import_llama2c_tokens(const fs::path& checkpoint, const ImportOptions& options, const fs::path& folder,
                           ExchangeResult& result) {
  write_settings(llama2c_settings(), {"<unk>", "<s>", "</s>"}, result.config, folder);
  if (!options.with_tokenizer) return;
  const bool named = !options.tokenizer_file.empty();
  const fs::path file = named ? options.tokenizer_file : checkpoint.parent_path() / "tokenizer.bin";
  if (named || fs::exists(file))
    write_tokenizer(text::tokenizer_json_from_llama2c(file, result.config.vocabulary_size), "'" + file.string() + "'",
                    folder, result);
  else
    result.notes.push_back("'" + file.string() +
                           "': no such file, so the folder has no tokenizer; name one (--tokenizer)");
}

void list_files(const fs::path& folder, ExchangeResult& result) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    result.files.push_back(entry.path().lexically_relative(folder));
    result.bytes += static_cast<std::int64_t>(entry.file_size());
  }
  std::sort(result.files.begin(), result.files.end());
}

/// What a folder has besides weights and config.json.
constexpr std::array companions = {"generation_config.json",
                                   "tokenizer.json",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "chat_template.jinja",
                                   "retort.json",
                                   "LICENSE"};

constexpr char more_templates[] = "additional_chat_templates";

void copy_companions(const fs::path& source, const fs::path& target) {
  const auto copy = [&](const fs::path& file) {
    if (fs::exists(source / file)) host::write_file_atomically(target / file, host::read_file(source / file));
  };
  for (const char* file : companions) copy(file);
  if (!fs::is_directory(source / more_templates)) return;
  fs::create_directory(target / more_templates);
  for (const auto& entry : fs::directory_iterator(source / more_templates))
    if (entry.is_regular_file()) copy(fs::path(more_templates) / entry.path().filename());
}

std::optional<text::TokenId> token(std::int64_t id) {
  return id < 0 ? std::nullopt : std::optional(static_cast<text::TokenId>(id));
}

void note_settings(const TokenSettings& settings, ExchangeResult& result) {
  if (settings.ends.size() > greatest_gguf_ends) {
    std::string ids;
    for (std::size_t i = greatest_gguf_ends; i < settings.ends.size(); ++i)
      ids += (ids.empty() ? "" : ", ") + std::to_string(settings.ends[i]);
    result.notes.push_back("eos_token_id: GGUF names three tokens that end an answer; left out: " + ids);
  }
  if (!settings.named_templates.empty() && !settings.chat_template)
    result.notes.push_back("chat_template: only named ones, none is \"default\"; llama.cpp takes them by name alone");
}

/// What the tokenizer says and the keys cannot, or say otherwise than config.json.
void note_tokenizer(const text::Tokenizer& tokenizer, const TokenSettings& settings, ExchangeResult& result) {
  const auto begin = tokenizer.begin_token();
  if (begin && settings.begin >= 0 && *begin != settings.begin)
    result.notes.push_back("bos_token_id: tokenizer.json puts " + std::to_string(*begin) +
                           " first and config.json says " + std::to_string(settings.begin) + ": the file says " +
                           std::to_string(*begin));
  const std::vector<std::string> lost = text::lost_in_gguf(tokenizer);
  if (lost.empty()) return;
  std::string what;
  for (const std::string& part : lost) what += (what.empty() ? "" : "; ") + part;
  result.notes.push_back("tokenizer: GGUF's own keys cannot say this: " + what +
                         "; the whole tokenizer.json is in the file too (tokenizer.huggingface.json), which Retort "
                         "reads and llama.cpp does not");
}

/// llama.cpp tells the end of a message that goes on (eom) from the end of a turn (eot) by the key.
void order_ends(const text::Tokenizer& tokenizer, TokenSettings& settings) {
  const auto is_eom = [&](std::size_t place) {
    return tokenizer.token(static_cast<text::TokenId>(settings.ends[place])).find("eom") != std::string_view::npos;
  };
  if (settings.ends.size() > 2 && is_eom(1) && !is_eom(2)) std::swap(settings.ends[1], settings.ends[2]);
}

/// Every key "tokenizer.*" of a folder.
model::GgufMetadata tokens_of(const model::ModelFolder& folder, ExchangeResult& result) {
  TokenSettings settings = token_settings_of(folder);
  note_settings(settings, result);
  const fs::path file = folder.path() / "tokenizer.json";
  if (!fs::exists(file)) {
    result.notes.push_back("'" + file.string() + "': no such file, so llama.cpp cannot turn text into tokens");
    return to_gguf(settings);
  }
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder.path());
  const std::int64_t rows = folder.config().vocabulary_size;
  if (const auto note = padding_note(tokenizer.vocabulary_size(), rows))
    result.notes.push_back("'" + folder.path().string() + "': " + *note);
  note_tokenizer(tokenizer, settings, result);
  order_ends(tokenizer, settings);
  model::GgufMetadata keys = to_gguf(settings);
  keys.merge(text::gguf_tokenizer(
      tokenizer, {rows, token(settings.begin), settings.ends.empty() ? std::nullopt : token(settings.ends[0]),
                  token(settings.padding)}));
  return keys;
}

model::DataType float_type_of(const std::optional<model::GgmlType>& type, model::DataType absent) {
  if (!type) return absent;
  if (*type == model::GgmlType::f32) return model::DataType::f32;
  if (*type == model::GgmlType::f16) return model::DataType::f16;
  if (*type == model::GgmlType::bf16) return model::DataType::bf16;
  throw std::invalid_argument(std::string("dtype: expected f32, f16 or bf16 for a Hugging Face folder, found ") +
                              model::name_of(*type));
}

}  // namespace

ExchangeResult import_model(const fs::path& source, const fs::path& target, const ImportOptions& options,
                            const ProgressReport& report) {
  const fs::path name = without_slash(target);
  refuse_existing(name);
  const Checkpoint checkpoint = open_checkpoint(source);
  NewFolder folder(name);
  ExchangeResult result;
  result.config = checkpoint.weights->config();
  if (checkpoint.gguf != nullptr)
    import_gguf_tokens(*checkpoint.gguf, options.with_tokenizer, folder.path(), result);
  else
    import_llama2c_tokens(source, options, folder.path(), result);
  FolderExportOptions folder_options;
  folder_options.type = options.type;
  folder_options.shard_bytes = options.shard_bytes;
  export_folder(*checkpoint.weights, folder.path(), folder_options, report);
  const model::ModelFolder check(folder.path());
  list_files(folder.path(), result);
  folder.publish();
  return result;
}

ExchangeResult export_to_gguf(const fs::path& source, const fs::path& target, const ExportOptions& options,
                              const ProgressReport& report) {
  refuse_existing(target);
  const model::ModelFolder folder(source);
  const FolderSource weights(folder);
  ExchangeResult result;
  result.config = folder.config();
  result.notes = folder.notices();
  model::GgufMetadata more = tokens_of(folder, result);
  more["general.name"] = without_slash(fs::absolute(source)).filename().string();
  export_gguf(weights, more, target, {options.type}, report);
  result.files = {target.filename()};
  result.bytes = static_cast<std::int64_t>(fs::file_size(target));
  return result;
}

ExchangeResult export_to_folder(const fs::path& source, const fs::path& target, const ExportOptions& options,
                                const ProgressReport& report) {
  const fs::path name = without_slash(target);
  refuse_existing(name);
  const model::ModelFolder folder(source);
  const FolderSource weights(folder);
  FolderExportOptions folder_options;
  if (options.type) folder_options.type = float_type_of(options.type, model::DataType::f32);
  folder_options.shard_bytes = options.shard_bytes;
  folder_options.config = folder.config_json();
  NewFolder made(name);
  copy_companions(source, made.path());
  export_folder(weights, made.path(), folder_options, report);
  const model::ModelFolder check(made.path());
  ExchangeResult result;
  result.config = folder.config();
  result.notes = folder.notices();
  list_files(made.path(), result);
  made.publish();
  return result;
}

}  // namespace retort::exchange
