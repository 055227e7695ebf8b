#include "core/backup/directory_picture.h"

#include <algorithm>
#include <limits>

#include "core/backup/backup_engine_session.h"
#include "core/backup/meta_file.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// Whether the file lies in this backup's private directory, or where backups share files. A BackupEngine accepts other
// names too, but it throws an exception over some of them later.
bool IsOfBackup(std::string_view name, std::string_view own_directory) {
  const size_t slash = name.find_last_of('/');
  const std::string_view directory = name.substr(0, slash + 1);
  return (directory == own_directory || directory == "shared/" || directory == "shared_checksum/") &&
         !DatabaseFileName(std::string(name)).empty();
}

std::string OwnDirectory(uint32_t id) { return "private/" + std::to_string(id) + "/"; }

}  // namespace

DirectoryPicture::FileNumber DirectoryPicture::Names::NumberOf(std::string_view name) {
  if (const auto found = numbers.find(name); found != numbers.end()) {
    return found->second;
  }
  const auto number = static_cast<FileNumber>(names.size());
  names.push_back(std::make_shared<const std::string>(name));
  numbers.emplace(*names.back(), number);
  return number;
}

std::shared_ptr<DirectoryPicture::Meta> DirectoryPicture::Read(uint32_t id, const BackupMeta& parsed, Names* names) {
  const std::string own_directory = OwnDirectory(id);
  const auto is_of_backup = [&](const BackupMeta::Entry& entry) { return IsOfBackup(entry.name, own_directory); };
  if (!parsed.plain || !std::all_of(parsed.entries.begin(), parsed.entries.end(), is_of_backup)) {
    return nullptr;
  }
  auto meta = std::make_shared<Meta>();
  meta->timestamp = parsed.timestamp;
  meta->app_metadata = parsed.app_metadata;
  meta->files.reserve(parsed.entries.size());
  for (const auto& entry : parsed.entries) {
    if (entry.excluded) {
      meta->excluded.emplace_back(entry.name);
      continue;
    }
    const FileNumber number = names->NumberOf(entry.name);
    meta->files.push_back({number, entry.checksum.value_or(0), entry.checksum.has_value()});
    if (entry.size) {
      meta->sizes.emplace_back(number, *entry.size);
    }
  }
  return meta;
}

std::shared_ptr<const DirectoryPicture> DirectoryPicture::Make(const Names& names, std::vector<Backup> backups,
                                                               SharedFiles shared_files) {
  std::shared_ptr<DirectoryPicture> picture(new DirectoryPicture);
  picture->backups_ = std::move(backups);
  picture->shared_files_ = std::move(shared_files);
  return picture->Compose(names) ? picture : nullptr;
}

bool DirectoryPicture::IsOf(const std::vector<Backup>& backups, const SharedFiles& shared_files, bool records) const {
  return shared_files == shared_files_ &&
         std::equal(backups.begin(), backups.end(), backups_.begin(), backups_.end(),
                    [records](const Backup& a, const Backup& b) {
                      return a.id == b.id && a.meta == b.meta && a.private_files == b.private_files &&
                             a.record_bytes == b.record_bytes &&
                             (!records || (a.written == b.written && a.origin == b.origin));
                    });
}

bool DirectoryPicture::Compose(const Names& names) {
  files_.resize(names.names.size());
  for (const auto& [name, size] : shared_files_) {
    if (const auto found = names.numbers.find(name); found != names.numbers.end()) {
      files_[found->second].size = size;
      files_[found->second].listed = true;
      files_[found->second].shared = true;
    }
  }
  // By number: the last backup that was found to have the file.
  std::vector<uint32_t> taken_by(files_.size(), 0);
  for (const Backup& backup : backups_) {
    if (!Take(backup, names, &taken_by)) {
      return false;
    }
    ids_.push_back(backup.id);
  }
  for (FileNumber number = 0; number < files_.size(); ++number) {
    if (files_[number].uses > 0) {
      File& file = files_[number];
      file.name = names.names[number];
      file.is_log = !file.shared && IsWalFileName(NameOf(*file.name));
      numbers_.emplace(*file.name, number);
    }
  }
  return true;
}

bool DirectoryPicture::Take(const Backup& backup, const Names& names, std::vector<uint32_t>* taken_by) {
  if (backup.meta == nullptr || backup.meta->files.empty()) {
    return false;  // the BackupEngine ignores a backup without files
  }
  const std::string own_directory = OwnDirectory(backup.id);
  for (const auto& [name, size] : backup.private_files) {
    if (const auto found = names.numbers.find(own_directory + name); found != names.numbers.end()) {
      files_[found->second].size = size;
      files_[found->second].listed = true;
    }
  }
  for (const Meta::File& named : backup.meta->files) {
    File& file = files_[named.number];
    if (!file.listed || (*taken_by)[named.number] == backup.id) {
      return false;
    }
    (*taken_by)[named.number] = backup.id;
    ++file.uses;
    if (named.has_checksum) {
      if (file.has_checksum && file.checksum != named.checksum) {
        return false;
      }
      file.checksum = named.checksum;
      file.has_checksum = true;
    }
  }
  return std::all_of(backup.meta->sizes.begin(), backup.meta->sizes.end(),
                     [&](const auto& size) { return files_[size.first].size == size.second; });
}

const DirectoryPicture::Backup* DirectoryPicture::Find(uint32_t id) const {
  const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
  return found != ids_.end() && *found == id ? &backups_[static_cast<size_t>(found - ids_.begin())] : nullptr;
}

BackupDescription DirectoryPicture::Describe(uint32_t id, bool details) const {
  BackupDescription description;
  const Backup* const backup = Find(id);
  if (backup == nullptr) {
    return description;
  }
  description.id = id;
  description.timestamp = backup->meta->timestamp;
  description.app_metadata = backup->meta->app_metadata;
  description.number_files = static_cast<uint32_t>(backup->meta->files.size());
  description.database = backup->origin.database;
  bool any_shared = false;
  for (const Meta::File& named : backup->meta->files) {
    const File& file = files_[named.number];
    description.size += file.size;
    description.unique_size += file.uses == 1 ? file.size : 0;
    description.log_bytes += file.is_log ? file.size : 0;
    any_shared |= file.shared;
    if (details) {
      description.files.push_back({*file.name, file.size, file.shared, file.uses});
    }
  }
  description.meta_size = backup->meta->bytes + backup->record_bytes;
  description.unique_size += description.meta_size;
  description.full = backup->origin.full.value_or(!any_shared);
  if (details) {
    description.excluded = backup->meta->excluded;
  }
  return description;
}

uint32_t DirectoryPicture::UsesOf(const std::string& name) const {
  const auto found = numbers_.find(name);
  return found != numbers_.end() ? files_[found->second].uses : 0;
}

bool DirectoryPicture::AsWritten() const {
  return std::all_of(backups_.begin(), backups_.end(), [](const Backup& backup) {
    return !backup.written ||
           (backup.written->bytes == backup.meta->bytes && backup.written->checksum == backup.meta->checksum);
  });
}

DirectoryPicture::Remainder::Remainder(std::shared_ptr<const DirectoryPicture> picture,
                                       const std::vector<uint32_t>& without)
    : picture_(std::move(picture)), uses_(picture_->files_.size(), 0) {
  std::set_difference(picture_->ids_.begin(), picture_->ids_.end(), without.begin(), without.end(),
                      std::back_inserter(ids_));
  for (size_t number = 0; number < uses_.size(); ++number) {
    uses_[number] = picture_->files_[number].uses;
  }
  for (const uint32_t id : without) {
    if (const Backup* const backup = picture_->Find(id); backup != nullptr) {
      for (const Meta::File& file : backup->meta->files) {
        --uses_[file.number];
      }
    }
  }
}

bool DirectoryPicture::Remainder::Has(const std::string& name) const {
  const auto found = picture_->numbers_.find(name);
  return found != picture_->numbers_.end() && uses_[found->second] > 0;
}

std::string DirectoryPicture::Remainder::MetaOfAll() const {
  std::string lines;
  size_t files = 0;
  const auto add = [&](const File& file) {
    lines += *file.name;
    if (file.has_checksum) {
      lines += " crc32 " + std::to_string(file.checksum);
    }
    lines += '\n';
    ++files;
  };
  for (size_t number = 0; number < uses_.size(); ++number) {
    if (uses_[number] > 0 && picture_->files_[number].shared) {
      add(picture_->files_[number]);
    }
  }
  if (!ids_.empty()) {
    for (const Meta::File& file : picture_->Find(ids_.back())->meta->files) {
      if (!picture_->files_[file.number].shared) {
        add(picture_->files_[file.number]);
      }
    }
  }
  return "schema_version 2.1\n0\n0\n" + std::to_string(files) + "\n" + lines;
}

}  // namespace rocksdb_backup
