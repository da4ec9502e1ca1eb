from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0012_webhook_kinds'),
    ]

    operations = [
        migrations.AddField(
            model_name='organisation',
            name='bill_reminders',
            field=models.BooleanField(default=True, help_text='E-mails before an invoice is due, and while it is overdue.', verbose_name='reminders of bills'),
        ),
    ]
