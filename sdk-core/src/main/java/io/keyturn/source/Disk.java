package io.keyturn.source;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;

/** What watching asks of the system. A call that has to do with a file may hang for as long as its file system does. */
class Disk {
    /** How a file looks now, through links; {@link Signature#NONE} if there is none, or it cannot be looked at. */
    Signature look(Path file) {
        try {
            return file.getFileSystem().supportedFileAttributeViews().contains("unix")
                    ? Signature.of(Files.readAttributes(file, "unix:dev,ino,size,lastModifiedTime,ctime"))
                    : Signature.of(Files.readAttributes(file, BasicFileAttributes.class));
        } catch (IOException e) {
            return Signature.NONE;
        }
    }

    /** See {@link LinkWay}. */
    List<Path> way(Path file) {
        return LinkWay.to(file);
    }

    /** Where events come from. */
    WatchService events() throws IOException {
        return FileSystems.getDefault().newWatchService();
    }
}
