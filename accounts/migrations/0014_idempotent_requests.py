import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0013_bill_reminders'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdempotentRequest',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('caller', models.CharField(max_length=150, verbose_name='caller')),
                ('key', models.CharField(max_length=255, verbose_name='idempotency key')),
                ('request_hash', models.CharField(max_length=64, verbose_name='hash of the request')),
                ('status_code', models.PositiveSmallIntegerField(blank=True, null=True, verbose_name='answer')),
                ('body', models.JSONField(blank=True, null=True, verbose_name='body')),
                ('claimed_until', models.DateTimeField(verbose_name='held until')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created')),
            ],
            options={
                'verbose_name': 'write under a key',
                'verbose_name_plural': 'writes under keys',
                'db_table': 'idempotent_requests',
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(fields=('caller', 'key'), name='idempotent_requests_key_once')],
            },
        ),
    ]
