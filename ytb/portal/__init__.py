"""The portal: the door of park clerks, statisticians, administrators and programs. ``application.create_app`` makes it."""
